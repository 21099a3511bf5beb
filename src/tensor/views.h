// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace llama_gpu {

// Borrowed rows of numbers: `rows` x `cols`, row r starts at data + r * stride. The memory belongs to a
// device and may be unreadable for the host; only ops dereference it.
template <typename T>
struct MatrixView {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;  // in elements, >= cols

  // No rows; rows without gaps; rows that lie `stride` elements apart.
  MatrixView() = default;
  MatrixView(T* data, int64_t rows, int64_t cols) : MatrixView(data, rows, cols, cols) {}
  MatrixView(T* data, int64_t rows, int64_t cols, int64_t stride)
      : data(data), rows(rows), cols(cols), stride(stride) {}
  // A view of mutable rows reads as a view of const ones.
  operator MatrixView<const T>() const { return {data, rows, cols, stride}; }

  // Borrowed parts. REQUIRES: they are there.
  std::span<T> row(int64_t r) const { return {data + r * stride, static_cast<size_t>(cols)}; }
  MatrixView<T> first_rows(int64_t n) const { return {data, n, cols, stride}; }
};

// A weight as a checked file holds it: `rows` rows of `cols` values, row after row, in host memory that the
// file's mapping owns. A vector has one row. (GGUF's ne[0] is `cols`.)
struct HostTensor {
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
  std::span<const std::byte> bytes;
};

}  // namespace llama_gpu
