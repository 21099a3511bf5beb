// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace llama_gpu::engine {

// How long steps should take, by how many rows they hold.
struct StepPace {
  std::chrono::milliseconds target{100};  // 0: every step may be as large as any
  int32_t min_rows = 16;
  int32_t max_rows = 256;
};

// Chooses the rows of the next step from the time that earlier ones took. A cancel, a new request and a token
// of those that run wait for a step to end, so prompts are cut as small as the machine is slow. Pure; one
// thread.
class StepPacer {
 public:
  explicit StepPacer(const StepPace& pace);

  // The most rows of the next step.
  int32_t max_rows() const { return max_rows_; }

  // A step of so many rows took so long.
  void note_step(int32_t num_rows, std::chrono::nanoseconds duration);

 private:
  StepPace pace_;
  int32_t max_rows_;
};

}  // namespace llama_gpu::engine
