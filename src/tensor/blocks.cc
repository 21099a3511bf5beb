// SPDX-License-Identifier: Apache-2.0
#include "tensor/blocks.h"

#include <bit>
#include <cstring>

#include "base/check.h"

namespace llama_gpu {
namespace {

constexpr uint32_t kFloatInfinity = 0x7f800000;

// Calls `write(block, values)` for each block. A block is copied out first: a file may place it at an odd
// address.
template <typename Block, size_t kValues, typename Write>
void for_each_block(std::span<const std::byte> bytes, std::span<float> values, Write write) {
  for (size_t i = 0; i < values.size() / kValues; ++i) {
    Block block;
    std::memcpy(&block, bytes.data() + i * sizeof(Block), sizeof(Block));
    write(block, values.subspan(i * kValues).first<kValues>());
  }
}

void write_q4_0(const BlockQ4_0& block, std::span<float, 32> values) {
  const float d = half_to_float(block.d);
  for (size_t i = 0; i < 16; ++i) {
    values[i] = d * static_cast<float>((block.q[i] & 15) - 8);
    values[i + 16] = d * static_cast<float>((block.q[i] >> 4) - 8);
  }
}

void write_q4_1(const BlockQ4_1& block, std::span<float, 32> values) {
  const float d = half_to_float(block.d);
  const float m = half_to_float(block.m);
  for (size_t i = 0; i < 16; ++i) {
    values[i] = d * static_cast<float>(block.q[i] & 15) + m;
    values[i + 16] = d * static_cast<float>(block.q[i] >> 4) + m;
  }
}

void write_q8_0(const BlockQ8_0& block, std::span<float, 32> values) {
  const float d = half_to_float(block.d);
  for (size_t i = 0; i < 32; ++i) values[i] = d * static_cast<float>(block.q[i]);
}

// Each 32 bytes of q hold sub-block 2k in their low nibbles and 2k + 1 in their high ones.
void write_q4_k(const BlockQ4_K& block, std::span<float, 256> values) {
  const float d = half_to_float(block.d);
  const float dmin = half_to_float(block.dmin);
  for (size_t s = 0; s < 8; ++s) {
    const ScaleMin packed = q4_k_scale_min(block, static_cast<int>(s));
    const float scale = d * static_cast<float>(packed.scale);
    const float min = dmin * static_cast<float>(packed.min);
    const int shift = s % 2 == 0 ? 0 : 4;
    for (size_t i = 0; i < 32; ++i) {
      const int q = (block.q[s / 2 * 32 + i] >> shift) & 15;
      values[s * 32 + i] = scale * static_cast<float>(q) - min;
    }
  }
}

// Each half of 128 values is four groups of 32: groups 0 and 1 are the low nibbles of the half's 64 bytes of
// ql, groups 2 and 3 their high nibbles; group g has bits 2g and 2g + 1 of the half's 32 bytes of qh.
void write_q6_k(const BlockQ6_K& block, std::span<float, 256> values) {
  const float d = half_to_float(block.d);
  for (size_t i = 0; i < 256; ++i) {
    const size_t half = i / 128;
    const size_t group = i % 128 / 32;
    const size_t lane = i % 32;
    const int low = (block.ql[half * 64 + group % 2 * 32 + lane] >> (group < 2 ? 0 : 4)) & 15;
    const int high = (block.qh[half * 32 + lane] >> (2 * group)) & 3;
    const float scale = d * static_cast<float>(block.scales[i / 16]);
    values[i] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

}  // namespace

ScaleMin q4_k_scale_min(const BlockQ4_K& block, int s) {
  CHECK(s >= 0 && s < 8, "a Q4_K block has 8 sub-blocks");
  const uint8_t* bytes = block.scales;
  if (s < 4) return {static_cast<uint8_t>(bytes[s] & 63), static_cast<uint8_t>(bytes[s + 4] & 63)};
  // The upper two bits of sub-blocks 4 to 7 sit on top of those of 0 to 3.
  return {static_cast<uint8_t>((bytes[s + 4] & 15) | (bytes[s - 4] >> 6) << 4),
          static_cast<uint8_t>((bytes[s + 4] >> 4) | (bytes[s] >> 6) << 4)};
}

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31;
  const uint32_t mantissa = half & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | kFloatInfinity | mantissa << 13);
  if (exponent == 0) {  // a multiple of the smallest half, exact in float
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t float_to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > kFloatInfinity) return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // 65520, halfway to 2^16
  if (magnitude < 0x38800000) {
    // Below 2^-14 halves are 2^-24 apart, as floats at 1/2 are: the sum rounds to that step, ties to even.
    const float sum = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(sum) - std::bit_cast<uint32_t>(0.5f)));
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | ((rounded >> 13) - (112 << 10)));
}

float bfloat16_to_float(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t float_to_bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > kFloatInfinity) return static_cast<uint16_t>(bits >> 16 | 0x40);  // stays a NaN
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void dequantize(DType dtype, std::span<const std::byte> bytes, std::span<float> values) {
  CHECK(static_cast<int64_t>(bytes.size()) == row_bytes(dtype, static_cast<int64_t>(values.size())),
        "the bytes hold another number of values");
  const auto write_half = [](uint16_t half, std::span<float, 1> value) { value[0] = half_to_float(half); };
  const auto write_bfloat16 = [](uint16_t bits, std::span<float, 1> value) {
    value[0] = bfloat16_to_float(bits);
  };
  switch (dtype) {
    case DType::kF32:
      if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
      return;
    case DType::kF16:
      return for_each_block<uint16_t, 1>(bytes, values, write_half);
    case DType::kBF16:
      return for_each_block<uint16_t, 1>(bytes, values, write_bfloat16);
    case DType::kQ4_0:
      return for_each_block<BlockQ4_0, 32>(bytes, values, write_q4_0);
    case DType::kQ4_1:
      return for_each_block<BlockQ4_1, 32>(bytes, values, write_q4_1);
    case DType::kQ8_0:
      return for_each_block<BlockQ8_0, 32>(bytes, values, write_q8_0);
    case DType::kQ4_K:
      return for_each_block<BlockQ4_K, 256>(bytes, values, write_q4_k);
    case DType::kQ6_K:
      return for_each_block<BlockQ6_K, 256>(bytes, values, write_q6_k);
  }
}

}  // namespace llama_gpu
