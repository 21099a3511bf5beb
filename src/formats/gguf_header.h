// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "formats/metadata.h"
#include "formats/tensor_info.h"

namespace llama_gpu::formats {

// All that a GGUF file says before its data, checked.
struct GgufHeader {
  uint32_t version = 0;
  uint64_t alignment = 0;
  Metadata metadata;
  std::vector<TensorInfo> tensors;
  uint64_t trailing_bytes = 0;  // behind the last tensor; no reader looks at them
};

// Reads the header of a whole file's bytes; those of its tensors are not touched. kModelInvalid,
// kModelTruncated or kUnsupportedModel, with the byte at fault.
Result<GgufHeader> parse_gguf_header(std::span<const std::byte> file);

}  // namespace llama_gpu::formats
