// SPDX-License-Identifier: Apache-2.0
//
// Kernels of one row at a time. What a lane adds up depends on the column only, never on the rows around.
#pragma once

#include "backends/cpu/kernels/kernel_table.h"

namespace llama_gpu::cpu {

// Calls body(column, lanes) for each vector of a row; lanes is below 16 in the last one only.
template <class Body>
[[gnu::always_inline]] inline void for_vectors(int64_t cols, const Body& body) {
  for (int64_t c = 0; c < cols; c += 16) body(c, cols - c < 16 ? cols - c : 16);
}

// exp(x), relative error below 4 * 2^-24 for x in [-87.3, 88.3]; beyond, the value at the nearer end. Not a
// number stays so.
//
// x = n ln 2 + f with |f| <= ln 2 / 2; exp f by its Taylor series to f^7, whose rest is below 6e-9; 2^n by
// the exponent bits. ln 2 is split so that n * high is exact.
template <class Isa>
[[gnu::always_inline]] inline typename Isa::F exp(typename Isa::F x) {
  using F = typename Isa::F;
  constexpr float kLog2High = 0.693359375f, kLog2Low = -2.12194440e-4f;
  // The constant comes first: min and max return the second operand where x is not a number.
  const F clamped = Isa::max(Isa::set1(-87.3f), Isa::min(Isa::set1(88.3f), x));
  const typename Isa::I n = Isa::to_int(Isa::mul(clamped, Isa::set1(1.44269504f)));
  const F turns = Isa::to_float(n);
  F f = Isa::fma(turns, Isa::set1(-kLog2High), clamped);
  f = Isa::fma(turns, Isa::set1(-kLog2Low), f);
  F series = Isa::set1(1.0f / 5040);
  for (const float term : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) {
    series = Isa::fma(series, f, Isa::set1(term));
  }
  // n is -126 at least, so that the exponent stays above zero.
  const auto exponent = Isa::template shift_left<23>(Isa::add(n, Isa::set1_int(127)));
  return Isa::mul(series, Isa::float_of_bits(exponent));
}

// The nearest integer in +-127; 127 for not-a-number (max and min return the second operand there).
template <class Isa>
[[gnu::always_inline]] inline typename Isa::I to_byte(typename Isa::F x) {
  return Isa::to_int(Isa::max(Isa::min(x, Isa::set1(127.0f)), Isa::set1(-127.0f)));
}

// The largest magnitude of a block; not-a-number is larger than all, for as integers magnitudes keep their
// order.
template <class Isa>
[[gnu::always_inline]] inline float largest_magnitude(const float* x) {
  const auto magnitudes = [&](int64_t c) {
    return Isa::bit_and(Isa::bits_of(Isa::load(x + c)), Isa::set1_int(0x7fffffff));
  };
  return __builtin_bit_cast(float, Isa::largest(Isa::max(magnitudes(0), magnitudes(16))));
}

// Columns 16 half .. 16 half + 15 of a block; `steps` is 1 / scale.
template <class Isa>
[[gnu::always_inline]] inline void quantize_half(const float* x, int half, float steps,
                                                 ActivationBlock& block) {
  const auto scaled = Isa::mul(Isa::load(x + 16 * half), Isa::set1(steps));
  const auto q = to_byte<Isa>(scaled);
  Isa::store_bytes(block.q + 16 * half, q);
  block.sums[half] = Isa::sum(q);
  auto fine = Isa::zero_int();
  if (block.is_fine != 0) {
    const auto rest = Isa::sub(scaled, Isa::to_float(q));
    fine = to_byte<Isa>(Isa::mul(rest, Isa::set1(static_cast<float>(kFineSteps))));
  }
  Isa::store_bytes(block.fine + 16 * half, fine);
  block.fine_sums[half] = Isa::sum(fine);
}

// See KernelTable. A value that is not finite makes its scale so, and with it every output: nothing bad is
// hidden.
template <class Isa>
void quantize_row(const float* x, int64_t cols, float fine_from, ActivationBlock* blocks) {
  // Blocks this small are zero: no scale, nor its product with a weight's, leaves the range of normal floats.
  constexpr float kSmallest = 0x1p-60f;
  const int64_t num_blocks = cols / kBlockCols;
  float total = 0;
  for (int64_t b = 0; b < num_blocks; ++b) {
    const float largest = largest_magnitude<Isa>(x + b * kBlockCols);
    blocks[b].scale = largest < kSmallest ? 0.0f : largest;
    total += blocks[b].scale;
  }
  const float threshold = total / static_cast<float>(num_blocks) * fine_from;
  for (int64_t b = 0; b < num_blocks; ++b) {
    ActivationBlock& block = blocks[b];
    const float largest = block.scale;
    block.is_fine = largest > threshold ? 1 : 0;
    block.scale = largest / 127.0f;
    block.fine_scale = block.scale / static_cast<float>(kFineSteps);
    const float steps = largest == 0 ? 0.0f : 127.0f / largest;
    quantize_half<Isa>(x + b * kBlockCols, 0, steps, block);
    quantize_half<Isa>(x + b * kBlockCols, 1, steps, block);
    const int32_t sum =
        (block.sums[0] + block.sums[1]) * kFineSteps + block.fine_sums[0] + block.fine_sums[1];
    block.scaled_sum = block.fine_scale * static_cast<float>(sum);
  }
}

// Sum of a[i] * b[i]: lane i % 16 adds its products in order.
template <class Isa>
float dot(const float* a, const float* b, int64_t size) {
  auto sums = Isa::zero();
  for_vectors(size, [&](int64_t c, int64_t lanes) {
    sums = lanes == 16 ? Isa::fma(Isa::load(a + c), Isa::load(b + c), sums)
                       : Isa::fma(Isa::load_first(a + c, lanes), Isa::load_first(b + c, lanes), sums);
  });
  return Isa::sum(sums);
}

// See KernelTable.
template <class Isa>
void rms_norm_row(const float* x, const float* weight, int64_t cols, float eps, float* y) {
  const float mean = dot<Isa>(x, x, cols) / static_cast<float>(cols);
  const auto scale = Isa::set1(1.0f / __builtin_sqrtf(mean + eps));
  for_vectors(cols, [&](int64_t c, int64_t lanes) {
    const auto normed = Isa::mul(Isa::load_first(x + c, lanes), scale);
    Isa::store_first(y + c, Isa::mul(normed, Isa::load_first(weight + c, lanes)), lanes);
  });
}

// Pairs (x[2 i], x[2 i + 1]).
template <class Isa>
void rope_row_adjacent(const RopeRow& row) {
  for (int64_t head = 0; head < row.heads; ++head) {
    float* x = row.x + head * row.head_dim;
    for_vectors(row.rotary_dim, [&](int64_t c, int64_t lanes) {
      const auto angles = Isa::load_first(row.angles + c, lanes);
      Isa::store_first(x + c, Isa::rotate_pairs(Isa::load_first(x + c, lanes), angles), lanes);
    });
  }
}

// Pairs (x[i], x[i + rotary_dim / 2]).
template <class Isa>
void rope_row_halves(const RopeRow& row) {
  const int64_t pairs = row.rotary_dim / 2;
  for (int64_t i = 0; i < pairs; i += 16) {
    const int64_t lanes = pairs - i < 16 ? pairs - i : 16;
    float angles[32] = {};
    __builtin_memcpy(angles, row.angles + 2 * i, static_cast<size_t>(2 * lanes) * sizeof(float));
    typename Isa::F cos, sin;
    Isa::load_pairs(angles, cos, sin);
    for (int64_t head = 0; head < row.heads; ++head) {
      float* first = row.x + head * row.head_dim + i;
      float* second = first + pairs;
      const auto a = Isa::load_first(first, lanes), b = Isa::load_first(second, lanes);
      Isa::store_first(first, Isa::sub(Isa::mul(a, cos), Isa::mul(b, sin)), lanes);
      Isa::store_first(second, Isa::add(Isa::mul(a, sin), Isa::mul(b, cos)), lanes);
    }
  }
}

// y = silu(gate) * up; y may alias either.
template <class Isa>
void swiglu_row(const float* gate, const float* up, int64_t cols, float* y) {
  const auto one = Isa::set1(1.0f);
  for_vectors(cols, [&](int64_t c, int64_t lanes) {
    const auto x = Isa::load_first(gate + c, lanes);
    const auto denominator = Isa::add(one, exp<Isa>(Isa::sub(Isa::zero(), x)));
    const auto activated = Isa::div(x, denominator);
    Isa::store_first(y + c, Isa::mul(activated, Isa::load_first(up + c, lanes)), lanes);
  });
}

// Stores the key across the vectors of its head's dimensions, the value along them.
template <class Isa>
void kv_write(const KvEntry& entry) {
  const KvLayout& layout = entry.layout;
  const int64_t lane = entry.token % kKvTokens;
  for (int64_t head = 0; head < layout.kv_heads; ++head) {
    const float* k = entry.k + head * layout.head_dim;
    const float* v = entry.v + head * layout.head_dim;
    uint16_t* keys = entry.block + layout.keys(head, entry.token) + lane;
    uint16_t* values = entry.block + layout.values(head, entry.token) + lane * layout.padded_dim;
    for_vectors(layout.head_dim, [&](int64_t d, int64_t lanes) {
      uint16_t halves[16];
      Isa::store_f16(halves, Isa::load_first(k + d, lanes));
      for (int64_t i = 0; i < lanes; ++i) keys[(d + i) * kKvTokens] = halves[i];
      Isa::store_f16(values + d, Isa::load_first(v + d, lanes));
    });
  }
}

}  // namespace llama_gpu::cpu
