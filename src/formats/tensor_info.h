// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace llama_gpu::formats {

// A tensor as its file declares it, already checked against the file's size.
struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // outermost first: {rows, cols}; an axis of length 0 means that it is empty
  uint64_t file_offset = 0;    // of its first byte
  uint64_t size_bytes = 0;
  uint64_t declared_at_byte = 0;  // for errors

  // Its matrix: axes but the innermost are flattened to rows. Their product fits, a reader checked it.
  int64_t cols() const { return shape.back(); }
  int64_t rows() const {
    int64_t rows = 1;
    for (size_t axis = 0; axis + 1 < shape.size(); ++axis) rows *= shape[axis];
    return rows;
  }
};

}  // namespace llama_gpu::formats
