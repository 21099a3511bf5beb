// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/bounded_reader.h"
#include "base/result.h"
#include "formats/tensor_info.h"

namespace llama_gpu::formats {

// The tensors of a file and where its data lie.
struct GgufTensors {
  std::vector<TensorInfo> tensors;  // in the file's order; none overlap
  uint64_t end_offset = 0;          // of the last tensor's padding
};

// What bounds the places of tensors. REQUIRES: `alignment` is a power of two.
struct GgufDataBounds {
  uint64_t alignment = 0;
  uint64_t file_bytes = 0;
};

// Reads `count` declarations and places each tensor in the rest of the file: one behind the other at
// multiples of the alignment, as every writer of GGUF does. kModelInvalid, kModelTruncated or
// kUnsupportedModel naming the tensor.
Result<GgufTensors> read_gguf_tensors(BoundedReader& reader, uint64_t count, GgufDataBounds bounds);

}  // namespace llama_gpu::formats
