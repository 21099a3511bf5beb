// SPDX-License-Identifier: Apache-2.0
#include "plugins/latency_window.h"

#include <algorithm>
#include <cmath>

namespace llama_gpu::plugins {

void LatencyWindow::add(double seconds) { seconds_[num_added_++ % kCalls] = seconds; }

double LatencyWindow::quantile(double share) const {
  const size_t count = std::min(num_added_, kCalls);
  if (count == 0) return 0;
  std::array<double, kCalls> sorted = seconds_;
  // The nearest rank: the smallest time that at least this share of the calls stayed within.
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(count)));
  const size_t index = std::clamp<size_t>(rank, 1, count) - 1;
  const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(sorted.begin(), nth, sorted.begin() + static_cast<std::ptrdiff_t>(count));
  return *nth;
}

}  // namespace llama_gpu::plugins
