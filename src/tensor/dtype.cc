// SPDX-License-Identifier: Apache-2.0
#include "tensor/dtype.h"

#include <array>
#include <cstddef>

#include "base/check.h"

namespace llama_gpu {
namespace {

// In the order of DType. The ids are ggml's, which left numbers out when it dropped types.
constexpr std::array<DTypeInfo, 8> kDTypes = {{
    {DType::kF32, "f32", 0, 1, 4},
    {DType::kF16, "f16", 1, 1, 2},
    {DType::kBF16, "bf16", 30, 1, 2},
    {DType::kQ4_0, "q4_0", 2, 32, 18},
    {DType::kQ4_1, "q4_1", 3, 32, 20},
    {DType::kQ8_0, "q8_0", 8, 32, 34},
    {DType::kQ4_K, "q4_k", 12, 256, 144},
    {DType::kQ6_K, "q6_k", 14, 256, 210},
}};

}  // namespace

std::span<const DTypeInfo> all_dtypes() { return kDTypes; }

const DTypeInfo& dtype_info(DType dtype) {
  const auto index = static_cast<size_t>(dtype);
  CHECK(index < kDTypes.size(), "a DType outside of its enum");
  return kDTypes[index];
}

std::optional<DType> dtype_from_gguf(uint32_t gguf_id) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.gguf_id == gguf_id) return info.dtype;
  }
  return std::nullopt;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == name) return info.dtype;
  }
  return std::nullopt;
}

int64_t row_bytes(DType dtype, int64_t cols) {
  const DTypeInfo& info = dtype_info(dtype);
  CHECK(cols >= 0 && cols % info.block_values == 0, "a row must be whole blocks");
  return cols / info.block_values * info.block_bytes;
}

}  // namespace llama_gpu
