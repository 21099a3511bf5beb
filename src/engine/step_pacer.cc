// SPDX-License-Identifier: Apache-2.0
#include "engine/step_pacer.h"

#include <algorithm>

namespace llama_gpu::engine {
namespace {

// The most by which one step changes the next: one that the machine held up says little.
constexpr double kLargestFactor = 4;

}  // namespace

StepPacer::StepPacer(const StepPace& pace) : pace_(pace) {
  pace_.min_rows = std::min(pace.min_rows, pace.max_rows);
  // Before anything was measured the machine may be any.
  max_rows_ = pace.target.count() == 0 ? pace_.max_rows : pace_.min_rows;
}

void StepPacer::note_step(int32_t num_rows, std::chrono::nanoseconds duration) {
  if (pace_.target.count() == 0 || num_rows < 1) return;
  const double took = std::max(std::chrono::duration<double>(duration).count(), 1e-9);
  const double target = std::chrono::duration<double>(pace_.target).count();
  const double fitting_rows = num_rows * target / took;
  // What a step costs whatever its size makes the rows of a small one look dear: it may only raise the bound,
  // unless it was too long itself.
  const bool is_telling = took > target || 2 * num_rows >= max_rows_ || fitting_rows > max_rows_;
  if (!is_telling) return;
  const double next = std::clamp(fitting_rows, max_rows_ / kLargestFactor, max_rows_ * kLargestFactor);
  max_rows_ = static_cast<int32_t>(std::clamp<double>(next, pace_.min_rows, pace_.max_rows));
}

}  // namespace llama_gpu::engine
