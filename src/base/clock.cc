// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

namespace llama_gpu {

SteadyTime SystemClock::now() const { return std::chrono::steady_clock::now(); }

int64_t SystemClock::unix_milliseconds() const {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
}

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace llama_gpu
