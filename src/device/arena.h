// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device/device.h"

namespace llama_gpu {

// Memory handed out front to back and taken back all at once, for the buffers of one step.
//
// Sized at load from the largest step, so that a step never allocates: running out is a broken invariant.
// One thread.
class Arena {
 public:
  static constexpr size_t kAlignment = 64;

  explicit Arena(Buffer buffer) : buffer_(std::move(buffer)) {}

  // Uninitialised rows, contiguous, 64-byte aligned, valid until reset().
  template <typename T>
  MatrixView<T> matrix(int64_t rows, int64_t cols) {
    return {reinterpret_cast<T*>(take(static_cast<size_t>(rows * cols) * sizeof(T))), rows, cols};
  }
  void reset() { used_bytes_ = 0; }

  // Bytes that matrix<T>(rows, cols) takes, padding included.
  template <typename T>
  static size_t matrix_bytes(int64_t rows, int64_t cols) {
    return (static_cast<size_t>(rows * cols) * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
  }

 private:
  std::byte* take(size_t size_bytes);

  Buffer buffer_;
  size_t used_bytes_ = 0;
};

}  // namespace llama_gpu
