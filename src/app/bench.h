// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/environment.h"
#include "app/remote_answers.h"
#include "base/result.h"
#include "engine/engine.h"
#include "ops/backend.h"

// Speed of one model. Each repeat has two phases, each with fresh random prompts and the wall clock from the
// first submit to the last sampled token, lm_head and sampling included:
//
//   prefill  `streams` prompts of `prompt_tokens`, one token sampled from each: prompt tokens a second
//   decode   `streams` prompts of one token, `generate_tokens` sampled from each: sampled tokens a second
//
// There is no prefix cache and no speculation. The limit of decode is the read bandwidth of this machine,
// measured beside it with as many threads: each step reads every weight once, for all streams together.
namespace llama_gpu::app {

// The work to measure.
struct BenchWork {
  int64_t prompt_tokens = 512;
  int64_t generate_tokens = 128;
  int streams = 1;
  int repeats = 3;
};

// One figure, once for each repeat; never empty.
struct BenchFigure {
  std::string_view name;  // a key of the JSON form
  std::vector<double> samples;

  double median() const;
  double min() const;
  double max() const;
};

// What was measured, in the order in which it is shown.
struct BenchReport {
  std::string model;
  std::string backend;  // "cpu avx512, 2 threads", or the server's address
  BenchWork work;
  std::vector<BenchFigure> figures;
};

// Loads the model anew for each repeat: prefill, decode, read bandwidth, share of the limit, start, memory.
// kInvalidValue for work that the model cannot do; kCancelled.
Result<BenchReport> bench_local(const BackendRegistry& backends, engine::EngineOptions options,
                                const BenchWork& work, const std::atomic<bool>& cancelled);

// The same work over HTTP, from this machine: prefill and decode only. `model` empty: the server's first.
Result<BenchReport> bench_remote(const HttpClient& http, const RemoteServer& server, const std::string& model,
                                 const BenchWork& work);

// `count` random token ids below `vocab_size`, other ones for each `seed`.
std::vector<TokenId> random_prompt(int64_t count, int64_t vocab_size, uint64_t seed);

}  // namespace llama_gpu::app
