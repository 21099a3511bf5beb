// SPDX-License-Identifier: Apache-2.0
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "app/bench.h"
#include "base/clock.h"

namespace llama_gpu::app {
namespace {

using Json = nlohmann::ordered_json;

// What every stream of a phase has in common.
struct RemotePhase {
  const HttpClient& http;
  const RemoteServer& server;
  std::string model;
  int64_t vocab_size;
  int64_t prompt_tokens;
  int64_t generate_tokens;
  uint64_t seed;
};

std::string request_body(const RemotePhase& phase, int stream) {
  const uint64_t seed = phase.seed * 1000 + uint64_t(stream);
  return Json{{"model", phase.model},
              {"prompt", random_prompt(phase.prompt_tokens, phase.vocab_size, seed)},
              {"max_tokens", phase.generate_tokens},
              {"ignore_eos", true},
              {"stream", true},
              {"seed", stream}}
      .dump();
}

// The moment of the last event that came.
Result<SteadyTime> run_stream(const RemotePhase& phase, int stream) {
  SteadyTime last = system_clock().now();
  TRY_STATUS(stream_events(phase.http, phase.server, "/v1/completions", request_body(phase, stream),
                           [&](std::string_view) {
                             last = system_clock().now();
                             return true;
                           }));
  return last;
}

// Seconds from the first request to the last event, all streams at once.
Result<double> run_phase(const RemotePhase& phase, int streams) {
  std::mutex mutex;
  Status failure;
  const SteadyTime begun = system_clock().now();
  SteadyTime last = begun;
  {
    std::vector<std::jthread> threads;
    for (int stream = 0; stream < streams; ++stream) {
      threads.emplace_back([&, stream] {
        Result<SteadyTime> ended = run_stream(phase, stream);
        const std::lock_guard lock(mutex);
        if (ended.ok()) {
          last = std::max(last, *ended);
        } else {
          failure = std::move(ended).error();
        }
      });
    }
  }
  TRY_STATUS(std::move(failure));
  return std::chrono::duration<double>(last - begun).count();
}

Result<RemoteModel> choose_model(const HttpClient& http, const RemoteServer& server,
                                 const std::string& name) {
  TRY(const std::vector<RemoteModel> models, remote_models(http, server));
  for (const RemoteModel& model : models) {
    if (name.empty() || model.id == name) return model;
  }
  // An alias: the server knows it; how many tokens the model has is not said then.
  if (!name.empty()) return RemoteModel{name};
  return Error{ErrorCode::kModelNotFound, "the server at '" + server.base_url + "' serves no model"};
}

}  // namespace

Result<BenchReport> bench_remote(const HttpClient& http, const RemoteServer& server, const std::string& model,
                                 const BenchWork& work) {
  TRY(const RemoteModel chosen, choose_model(http, server, model));
  // Every vocabulary that is trained in earnest has so many.
  constexpr int64_t kLeastVocabSize = 256;
  const int64_t vocab_size = chosen.vocab_size > 0 ? chosen.vocab_size : kLeastVocabSize;

  BenchReport report{chosen.id,
                     server.base_url,
                     work,
                     {{"prefill_tokens_per_second", {}}, {"decode_tokens_per_second", {}}}};
  const uint64_t seed = std::random_device()();
  for (int repeat = 0; repeat < work.repeats; ++repeat) {
    RemotePhase phase{
        http, server, chosen.id, vocab_size, work.prompt_tokens, 1, seed + uint64_t(repeat) * 2};
    TRY(const double prefill_seconds, run_phase(phase, work.streams));
    phase.prompt_tokens = 1;
    phase.generate_tokens = work.generate_tokens;
    ++phase.seed;
    TRY(const double decode_seconds, run_phase(phase, work.streams));
    report.figures[0].samples.push_back(double(work.prompt_tokens) * work.streams / prefill_seconds);
    report.figures[1].samples.push_back(double(work.generate_tokens) * work.streams / decode_seconds);
  }
  return report;
}

}  // namespace llama_gpu::app
