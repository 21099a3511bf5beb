// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace llama_gpu {

// How the values of a tensor are stored. Block types hold `block_values` numbers in `block_bytes` bytes; the
// layouts are those of the GGUF specification (tensor/blocks.h).
enum class DType : uint8_t { kF32, kF16, kBF16, kQ4_0, kQ4_1, kQ8_0, kQ4_K, kQ6_K };

// One row of the table of types.
struct DTypeInfo {
  DType dtype;
  std::string_view name;  // as in file names and settings: "q4_0"
  uint32_t gguf_id;       // ggml_type in a GGUF file
  int32_t block_values;
  int32_t block_bytes;
};

// Every type, in the order of the enum.
std::span<const DTypeInfo> all_dtypes();
const DTypeInfo& dtype_info(DType dtype);
// nullopt where it is a type that this program does not read.
std::optional<DType> dtype_from_gguf(uint32_t gguf_id);
std::optional<DType> dtype_from_name(std::string_view name);

// Bytes of one row of `cols` values. REQUIRES: cols is a multiple of the type's block_values.
int64_t row_bytes(DType dtype, int64_t cols);

}  // namespace llama_gpu
