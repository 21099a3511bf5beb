// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "device/host_device.h"

namespace llama_gpu {

// Host memory that fails on demand, to test what callers do then. Thread-safe.
class FakeDevice : public HostDevice {
 public:
  // The `n`-th allocation from now on (1: the next one) fails with kOutOfMemory; later ones work again.
  void fail_nth_allocation(int64_t n) { until_failure_ = n; }
  int64_t allocations() const { return allocations_; }

  Result<Buffer> allocate(size_t size_bytes) override {
    ++allocations_;
    if (until_failure_.fetch_sub(1) == 1) {
      return Error{ErrorCode::kOutOfMemory, "memory for " + std::to_string(size_bytes) + " bytes is needed"};
    }
    return HostDevice::allocate(size_bytes);
  }

 private:
  std::atomic<int64_t> until_failure_ = 0;
  std::atomic<int64_t> allocations_ = 0;
};

}  // namespace llama_gpu
