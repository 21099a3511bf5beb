// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"

namespace llama_gpu::plugins {

// Keeps calls from a plugin that only fails: opens after some failures in a row, and lets one call try after
// a while. Pure; one thread.
class CircuitBreaker {
 public:
  static constexpr int kFailuresInARow = 5;
  static constexpr std::chrono::seconds kOpenTime{10};

  // Whether a call may go now; its end is to be reported by one of the three below.
  bool allows(SteadyTime now);
  void on_success();
  // True where this failure opened it.
  bool on_failure(SteadyTime now);
  // It ended for a reason that says nothing of the plugin.
  void on_neither() { is_trial_running_ = false; }

  bool is_open() const { return opened_.has_value(); }

 private:
  int failures_in_a_row_ = 0;
  std::optional<SteadyTime> opened_;
  bool is_trial_running_ = false;
};

}  // namespace llama_gpu::plugins
