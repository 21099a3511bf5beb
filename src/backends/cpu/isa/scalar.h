// SPDX-License-Identifier: Apache-2.0
//
// The vector layer in plain C++, for processors without AVX2, and the specification of the layer: each ISA
// header has one struct with these names. F: 16 floats, I: 16 32-bit integers, B: 16 lanes of four bytes.
// Kernels see nothing else, so that they are written once. Reductions add in one fixed order.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensor/blocks.h"

namespace llama_gpu::cpu {

// Every lane in a loop; compilers make of it what the baseline processor has.
struct Scalar {
  static constexpr const char* kName = "scalar";
  // Rows up to which packed weights are read without unpacking, and those of them that a product keeps in
  // registers; the tiles and rows of products with unpacked weights; attention's queries and vectors of a
  // value.
  static constexpr int kDirectRows = 2;
  static constexpr int kDirectPanelRows = 2;
  static constexpr int kProductTiles = 1;
  static constexpr int kProductRows = 2;
  static constexpr int kQueries = 2;
  static constexpr int kValueVectors = 1;
  // What dot4_s8 adds for each unit of x: it reads the stored value + kStoredBias, not the value.
  static constexpr int kStoredBias = 0;

  // The three kinds of vectors.
  struct F {
    float v[16];
  };
  struct I {
    int32_t v[16];
  };
  struct B {
    uint8_t v[64];
  };

  // Making vectors, loading and storing.
  static F zero() { return set1(0.0f); }
  static F set1(float x) {
    F r;
    for (float& lane : r.v) lane = x;
    return r;
  }
  static F load(const float* p) {
    F r;
    std::memcpy(r.v, p, sizeof(r.v));
    return r;
  }
  static void store(float* p, F a) { std::memcpy(p, a.v, sizeof(a.v)); }
  // The first `n` (0..16) lanes; the others are zero, and memory behind them is not touched.
  static F load_first(const float* p, int64_t n) {
    F r = zero();
    std::memcpy(r.v, p, static_cast<size_t>(n) * sizeof(float));
    return r;
  }
  static void store_first(float* p, F a, int64_t n) {
    std::memcpy(p, a.v, static_cast<size_t>(n) * sizeof(float));
  }
  static F load_f16(const uint16_t* p) {
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = half_to_float(p[i]);
    return r;
  }
  static F load_bf16(const uint16_t* p) {
    F r;
    for (int i = 0; i < 16; ++i) {
      const uint32_t bits = uint32_t{p[i]} << 16;
      std::memcpy(&r.v[i], &bits, sizeof(bits));
    }
    return r;
  }
  static void store_f16(uint16_t* p, F a) {
    for (int i = 0; i < 16; ++i) p[i] = float_to_half(a.v[i]);
  }

  // Arithmetic on floats, lane by lane, and reductions.
  static F add(F a, F b) {
    for (int i = 0; i < 16; ++i) a.v[i] += b.v[i];
    return a;
  }
  static F sub(F a, F b) {
    for (int i = 0; i < 16; ++i) a.v[i] -= b.v[i];
    return a;
  }
  static F mul(F a, F b) {
    for (int i = 0; i < 16; ++i) a.v[i] *= b.v[i];
    return a;
  }
  static F div(F a, F b) {
    for (int i = 0; i < 16; ++i) a.v[i] /= b.v[i];
    return a;
  }
  // a * b + c, rounded once or twice: the same for every call of one ISA.
  static F fma(F a, F b, F c) {
    for (int i = 0; i < 16; ++i) a.v[i] = a.v[i] * b.v[i] + c.v[i];
    return a;
  }
  // `b` where a lane is not a number.
  static F max(F a, F b) {
    for (int i = 0; i < 16; ++i) a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
    return a;
  }
  static F min(F a, F b) {
    for (int i = 0; i < 16; ++i) a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
    return a;
  }
  // Lanes below `n` of a, the others of b.
  static F first_of(int64_t n, F a, F b) {
    for (int64_t i = n; i < 16; ++i) a.v[i] = b.v[i];
    return a;
  }
  static float sum(F a) {
    for (int width = 8; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) a.v[i] += a.v[i + width];
    }
    return a.v[0];
  }
  static float largest(F a) {
    for (int width = 8; width > 0; width /= 2) {
      for (int i = 0; i < width; ++i) a.v[i] = a.v[i] > a.v[i + width] ? a.v[i] : a.v[i + width];
    }
    return a.v[0];
  }
  // For pairs (x0, x1) and (cos, sin) in neighbouring lanes: (x0 cos - x1 sin, x1 cos + x0 sin).
  static F rotate_pairs(F x, F angles) {
    F r;
    for (int i = 0; i < 16; i += 2) {
      r.v[i] = x.v[i] * angles.v[i] - x.v[i + 1] * angles.v[i + 1];
      r.v[i + 1] = x.v[i + 1] * angles.v[i] + x.v[i] * angles.v[i + 1];
    }
    return r;
  }
  // Even and odd lanes of the 32 floats at p.
  static void load_pairs(const float* p, F& even, F& odd) {
    for (int i = 0; i < 16; ++i) {
      even.v[i] = p[2 * i];
      odd.v[i] = p[2 * i + 1];
    }
  }

  // Integers.
  static I zero_int() { return set1_int(0); }
  static I set1_int(int32_t x) {
    I r;
    for (int32_t& lane : r.v) lane = x;
    return r;
  }
  static I load_bytes(const uint8_t* p) {  // 16 bytes, widened
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = p[i];
    return r;
  }
  static I load_bytes(const int8_t* p) {
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = p[i];
    return r;
  }
  static I add(I a, I b) {
    for (int i = 0; i < 16; ++i) a.v[i] += b.v[i];
    return a;
  }
  static I bit_and(I a, I b) {
    for (int i = 0; i < 16; ++i) a.v[i] &= b.v[i];
    return a;
  }
  static I bit_or(I a, I b) {
    for (int i = 0; i < 16; ++i) a.v[i] |= b.v[i];
    return a;
  }
  template <int n>
  static I shift_left(I a) {
    for (int i = 0; i < 16; ++i) a.v[i] = static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) << n);
    return a;
  }
  template <int n>
  static I shift_right(I a) {  // of non-negative lanes
    for (int i = 0; i < 16; ++i) a.v[i] >>= n;
    return a;
  }
  static I max(I a, I b) {
    for (int i = 0; i < 16; ++i) a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
    return a;
  }
  static int32_t sum(I a) {
    int32_t total = 0;
    for (int32_t lane : a.v) total += lane;
    return total;
  }
  static int32_t largest(I a) {
    int32_t result = a.v[0];
    for (int32_t lane : a.v) result = lane > result ? lane : result;
    return result;
  }
  static I bits_of(F a) {
    I r;
    std::memcpy(r.v, a.v, sizeof(r.v));
    return r;
  }
  static F float_of_bits(I a) {
    F r;
    std::memcpy(r.v, a.v, sizeof(r.v));
    return r;
  }
  static F to_float(I a) {
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = static_cast<float>(a.v[i]);
    return r;
  }
  // To the nearest, ties to even; any value where a lane is not a number or beyond 32 bits.
  static I to_int(F a) {
    I r;
    for (int i = 0; i < 16; ++i) {
      const bool fits = a.v[i] >= -2147483648.0f && a.v[i] < 2147483648.0f;
      r.v[i] = fits ? static_cast<int32_t>(std::nearbyintf(a.v[i])) : INT32_MIN;
    }
    return r;
  }
  // Saturated to signed bytes.
  static void store_bytes(int8_t* p, I a) {
    for (int i = 0; i < 16; ++i) {
      const int32_t lane = a.v[i] < -128 ? -128 : a.v[i] > 127 ? 127 : a.v[i];
      p[i] = static_cast<int8_t>(lane);
    }
  }

  // Bytes: four to a lane.
  static B load_block(const uint8_t* p) {
    B r;
    std::memcpy(r.v, p, sizeof(r.v));
    return r;
  }
  static void store_block(uint8_t* p, B a) { std::memcpy(p, a.v, sizeof(a.v)); }
  static B low_nibbles(B a) {
    for (uint8_t& byte : a.v) byte &= 15;
    return a;
  }
  static B high_nibbles(B a) {
    for (uint8_t& byte : a.v) byte = static_cast<uint8_t>(byte >> 4);
    return a;
  }
  // Bits 2 i and 2 i + 1 of each byte, moved to bits 4 and 5 and joined with `low`.
  template <int i>
  static B with_high_bits(B low, B high) {
    for (int k = 0; k < 64; ++k) low.v[k] |= static_cast<uint8_t>(((high.v[k] >> (2 * i)) & 3) << 4);
    return low;
  }
  // The four bytes at p in every lane.
  static B broadcast4(const int8_t* p) {
    B r;
    for (int i = 0; i < 64; i += 4) std::memcpy(r.v + i, p, 4);
    return r;
  }
  // acc + sum of four products in each lane; w unsigned up to 127, x signed within +-127. Exact.
  static I dot4_u7(I acc, B w, B x) {
    for (int i = 0; i < 64; ++i) acc.v[i / 4] += w.v[i] * static_cast<int8_t>(x.v[i]);
    return acc;
  }
  // The same for bytes that hold a signed value + 128, read as value + kStoredBias.
  static I dot4_s8(I acc, B w, B x) {
    for (int i = 0; i < 64; ++i) acc.v[i / 4] += (w.v[i] - 128) * static_cast<int8_t>(x.v[i]);
    return acc;
  }
};

}  // namespace llama_gpu::cpu
