// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace llama_gpu {

using SteadyTime = std::chrono::steady_clock::time_point;

// Where a component takes its time from, so that a test can hold it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Never goes back. The system's is the same in all processes of this machine, and meaningless elsewhere.
  virtual SteadyTime now() const = 0;
  // Milliseconds since 1970 in UTC; may jump when somebody sets the machine's clock.
  virtual int64_t unix_milliseconds() const = 0;

  int64_t unix_seconds() const { return unix_milliseconds() / 1000; }
};

// The machine's clock.
class SystemClock final : public Clock {
 public:
  SteadyTime now() const override;
  int64_t unix_milliseconds() const override;
};

// The one SystemClock, for whoever is not under test. Lives as long as the process.
const Clock& system_clock();

}  // namespace llama_gpu
