// SPDX-License-Identifier: Apache-2.0
#include "plugins/circuit_breaker.h"

namespace llama_gpu::plugins {

bool CircuitBreaker::allows(SteadyTime now) {
  if (!opened_) return true;
  if (is_trial_running_ || now - *opened_ < kOpenTime) return false;
  is_trial_running_ = true;
  return true;
}

void CircuitBreaker::on_success() { *this = CircuitBreaker(); }

bool CircuitBreaker::on_failure(SteadyTime now) {
  if (opened_) {
    // Calls that were under way when it opened say nothing new.
    if (is_trial_running_) opened_ = now;
    is_trial_running_ = false;
    return false;
  }
  if (++failures_in_a_row_ < kFailuresInARow) return false;
  opened_ = now;
  return true;
}

}  // namespace llama_gpu::plugins
