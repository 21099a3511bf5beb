// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

namespace llama_gpu::plugins {

// How long the last calls took. One thread at a time.
class LatencyWindow {
 public:
  static constexpr size_t kCalls = 256;

  // The length of the latest call; the oldest of more than kCalls is forgotten.
  void add(double seconds);
  // The time that a share of the calls stayed within, 0 to 1; 0 where there were none.
  double quantile(double share) const;

 private:
  std::array<double, kCalls> seconds_{};  // a ring
  size_t num_added_ = 0;
};

}  // namespace llama_gpu::plugins
