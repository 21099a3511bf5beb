// SPDX-License-Identifier: Apache-2.0
#include "app/bench.h"

#include <algorithm>
#include <random>

#include "app/bandwidth_probe.h"
#include "app/update_queue.h"
#include "base/clock.h"
#include "base/file.h"
#include "telemetry/process_memory.h"

namespace llama_gpu::app {
namespace {

using std::chrono::milliseconds;

double seconds_between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double>(to - from).count();
}

// Forgets the peak of this process's memory, so that the next one is that of the repeat.
void reset_peak_memory() {
  if (Result<File> file = File::create("/proc/self/clear_refs"); file.ok()) (void)file->write("5");
}

// One phase: the same request for each stream.
struct Phase {
  int64_t prompt_tokens;
  int64_t generate_tokens;
  uint64_t seed;
};

// One model in this process, measured. One thread.
class LocalRig {
 public:
  LocalRig(const BackendRegistry& backends, const engine::EngineOptions& options,
           const std::atomic<bool>& cancelled)
      : backends_(backends), options_(options), cancelled_(cancelled) {}

  // Returns the seconds until it could answer.
  Result<double> load() {
    const SteadyTime begun = system_clock().now();
    TRY(engine_, engine::Engine::load(backends_, options_, updates_));
    return seconds_between(begun, system_clock().now());
  }
  void unload() { engine_.reset(); }

  engine::ModelInfo info() const { return engine_->info(); }

  // Returns the seconds from the first submit to the last sampled token.
  Result<double> run(const Phase& phase, int streams) {
    const int64_t vocab_size = engine_->info().vocab_size;
    std::vector<engine::GenerationRequest> requests(static_cast<size_t>(streams));
    for (engine::GenerationRequest& request : requests) {
      request.id = ++last_id_;
      request.prompt = random_prompt(phase.prompt_tokens, vocab_size, phase.seed * 1000 + request.id);
      request.sampling.seed = request.id;
      request.max_tokens = phase.generate_tokens;
      request.ignore_eos = true;
    }
    const SteadyTime begun = system_clock().now();
    for (engine::GenerationRequest& request : requests) TRY_STATUS(engine_->submit(std::move(request)));
    TRY(const SteadyTime ended, wait_for_all(streams));
    return seconds_between(begun, ended);
  }

 private:
  Result<SteadyTime> wait_for_all(int num_running) {
    for (;;) {
      if (cancelled_) return Error{ErrorCode::kCancelled, "stopped"};
      for (const UpdateQueue::Arrival& arrival : updates_.take(milliseconds(100))) {
        if (arrival.update.error) return *arrival.update.error;
        if (arrival.update.finish && --num_running == 0) return arrival.time;
      }
    }
  }

  const BackendRegistry& backends_;
  const engine::EngineOptions& options_;
  const std::atomic<bool>& cancelled_;
  UpdateQueue updates_;
  engine::RequestId last_id_ = 0;
  std::unique_ptr<engine::Engine> engine_;
};

// The figures of a local run, by index.
enum Figure : uint8_t { kPrefill, kDecode, kBandwidth, kShare, kStart, kMemory };

std::vector<BenchFigure> local_figures() {
  return {{"prefill_tokens_per_second", {}},
          {"decode_tokens_per_second", {}},
          {"read_bandwidth_bytes_per_second", {}},
          {"decode_share_of_limit", {}},
          {"start_seconds", {}},
          {"peak_memory_bytes", {}}};
}

Status measure(LocalRig& rig, BenchReport& report, const engine::EngineOptions& options, uint64_t seed) {
  const BenchWork& work = report.work;
  const auto note = [&](Figure figure, double value) { report.figures[figure].samples.push_back(value); };
  reset_peak_memory();
  TRY(const double start_seconds, rig.load());
  const engine::ModelInfo info = rig.info();
  report.backend = info.backend;
  // The first step touches memory that the others find in place.
  TRY_STATUS(rig.run({8, 2, seed}, 1));
  TRY(const double prefill_seconds, rig.run({work.prompt_tokens, 1, seed + 1}, work.streams));
  TRY(const double decode_seconds, rig.run({1, work.generate_tokens, seed + 2}, work.streams));
  TRY(const telemetry::ProcessMemory memory, telemetry::process_memory());
  rig.unload();
  // Without the model in memory, or the probe would count into the next repeat's peak.
  TRY(const double bandwidth, probe_read_bandwidth(info.weight_bytes, options.num_threads));

  const double steps_per_second = double(work.generate_tokens) / decode_seconds;
  note(kPrefill, double(work.prompt_tokens) * work.streams / prefill_seconds);
  note(kDecode, steps_per_second * work.streams);
  note(kBandwidth, bandwidth);
  note(kShare, steps_per_second * double(info.matmul_bytes_per_token) / bandwidth);
  note(kStart, start_seconds);
  note(kMemory, double(memory.peak_resident));
  return {};
}

}  // namespace

Result<BenchReport> bench_local(const BackendRegistry& backends, engine::EngineOptions options,
                                const BenchWork& work, const std::atomic<bool>& cancelled) {
  const int64_t sequence_tokens = std::max(work.prompt_tokens, work.generate_tokens) + 16;
  options.max_sequences = work.streams;
  if (options.context_tokens == 0) options.context_tokens = int32_t(sequence_tokens);
  if (options.kv_tokens == 0) options.kv_tokens = (sequence_tokens + 16) * work.streams;

  BenchReport report{options.model_path, "", work, local_figures()};
  LocalRig rig(backends, options, cancelled);
  const uint64_t seed = std::random_device()();
  for (int repeat = 0; repeat < work.repeats; ++repeat) {
    TRY_STATUS(measure(rig, report, options, seed + uint64_t(repeat) * 3));
  }
  return report;
}

}  // namespace llama_gpu::app
