// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "engine/generation.h"

namespace llama_gpu::app {

// News of an engine in this process, from its thread to the one that waits for them. Thread-safe.
class UpdateQueue final : public engine::GenerationListener {
 public:
  // News with the moment at which they came.
  struct Arrival {
    engine::SequenceUpdate update;
    SteadyTime time;
  };

  void on_step(std::span<const engine::SequenceUpdate> updates) override {
    const SteadyTime now = system_clock().now();
    {
      const std::lock_guard lock(mutex_);
      for (const engine::SequenceUpdate& update : updates) arrivals_.push_back({update, now});
    }
    arrived_.notify_one();
  }

  // What came since the last call, in order; waits for at most `time` when there is nothing.
  std::vector<Arrival> take(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, time, [&] { return !arrivals_.empty(); });
    return std::exchange(arrivals_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Arrival> arrivals_;  // guarded by mutex_
};

}  // namespace llama_gpu::app
