// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace llama_gpu {

// Block layouts of the GGUF specification, byte for byte as in a file (little-endian, no padding). Scales are
// IEEE half floats kept as bits.

struct BlockQ4_0 {  // 32 values: d * (q - 8); byte i holds value i (low nibble) and value i + 16 (high)
  uint16_t d;
  uint8_t q[16];
};
struct BlockQ4_1 {  // 32 values: d * q + m; nibbles as in Q4_0
  uint16_t d;
  uint16_t m;
  uint8_t q[16];
};
struct BlockQ8_0 {  // 32 values: d * q
  uint16_t d;
  int8_t q[32];
};
struct BlockQ4_K {  // 256 values in 8 sub-blocks of 32: d * sc[s] * q - dmin * m[s]; 6-bit sc and m packed in
                    // scales
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t q[128];
};
struct BlockQ6_K {  // 256 values in 16 sub-blocks of 16: d * sc[s] * (q - 32); q = 4 low bits of ql, 2 high
                    // of qh
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;
};
static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ4_K) == 144 && sizeof(BlockQ6_K) == 210);

// The 6-bit scale and minimum of sub-block `s` (0..7) of a Q4_K block.
struct ScaleMin {
  uint8_t scale;
  uint8_t min;
};
ScaleMin q4_k_scale_min(const BlockQ4_K& block, int s);

// Exact float values of IEEE half and bfloat16 bits, and the nearest-even narrowing.
float half_to_float(uint16_t half);
uint16_t float_to_half(float value);
float bfloat16_to_float(uint16_t bits);
uint16_t float_to_bfloat16(float value);

// Writes the values of `bytes` to `values`, in float arithmetic and order of the GGUF specification's own
// dequantiser, so that the result equals it bit for bit.
// REQUIRES: bytes holds exactly values.size() values of `dtype`.
void dequantize(DType dtype, std::span<const std::byte> bytes, std::span<float> values);

}  // namespace llama_gpu
