// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/check.h"
#include "base/clock.h"

namespace llama_gpu {

// A clock that stands still until a test moves it. Thread-safe.
class FakeClock final : public Clock {
 public:
  // Starts one hour after the steady epoch, so that a test may look back, and at `unix_milliseconds`.
  explicit FakeClock(int64_t unix_milliseconds = 1'700'000'000'000) : unix_start_(unix_milliseconds) {}

  // REQUIRES: duration >= 0.
  void advance(std::chrono::nanoseconds duration) {
    CHECK(duration.count() >= 0, "a clock does not go back");
    elapsed_ns_ += duration.count();
  }

  SteadyTime now() const override {
    return SteadyTime(std::chrono::hours(1) + std::chrono::nanoseconds(elapsed_ns_));
  }
  int64_t unix_milliseconds() const override { return unix_start_ + elapsed_ns_ / 1'000'000; }

 private:
  int64_t unix_start_;
  std::atomic<int64_t> elapsed_ns_{0};
};

}  // namespace llama_gpu
