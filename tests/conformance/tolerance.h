// SPDX-License-Identifier: Apache-2.0
//
// How far a backend may be from the reference, as formulas with a reason. A backend computes in float and
// stores keys, values and activations in less; nothing else may differ.
#pragma once

#include <cmath>
#include <cstdint>

namespace llama_gpu::conformance {

// Half a unit in the last place of a float, relative: the error of one rounding.
inline constexpr double kFloatRounding = 0x1p-24;

// The same for a half float, which is what a KV cache stores.
inline constexpr double kHalfRounding = 0x1p-11;

// Rounding error of a sum of `terms` products in float, relative to the sum of their magnitudes. The factor 4
// covers products rounded before they are added and any order of lanes.
constexpr double sum_tolerance(int64_t terms) { return 4.0 * static_cast<double>(terms) * kFloatRounding; }

// Error of one activation that is stored as an integer with the scale `largest` / 127 of its block: half a
// step, and the roundings of the scale and of the quotient (all 127 steps of them). Steps are 1 for 8 bits,
// and 1/128 in the blocks that stand out from the row, `mean` being that of its blocks' largest magnitudes,
// or in all of them where the op is to be precise.
constexpr double activation_step(double largest, double mean, bool is_precise) {
  const bool is_fine = is_precise || largest > 1.501 * mean;
  return largest / 127.0 * ((is_fine ? 0.5 / 128 : 0.5) + 127 * 4 * kFloatRounding);
}

// x / sqrt(mean + eps) * weight, relative: half the error of the sum of squares (a square root halves it),
// and five roundings: mean, root, reciprocal and two products.
constexpr double rms_norm_tolerance(int64_t cols) { return sum_tolerance(cols) / 2 + 5 * kFloatRounding; }

// a cos - b sin, relative to |a| + |b|: both angles are rounded, both products and the sum.
inline constexpr double kRopeTolerance = 4 * kFloatRounding;

// Of one function in double rounded to float: the reference's own library may round the other way.
inline constexpr double kFunctionTolerance = 2 * kFloatRounding;

// silu(gate) * up, relative: an exponential good to 4 units (kernels say so), sum, quotient and product.
inline constexpr double kSwigluTolerance = 16 * kFloatRounding;
// Far from zero the exponential stops at e^88.3: an error of that much of |gate * up|.
inline constexpr double kSwigluFloor = 0x1p-127;

// Error of softmax(scale q.k) . v where keys and values are half floats. `score` bounds |scale| * sum |q k|
// over the keys. A score is off by `delta`; weights are then off by a factor of e^(2 delta) at most, and each
// value by its own rounding.
struct AttentionBound {
  double score;
  double largest_value;
  int64_t head_dim;
  int64_t tokens;
};
inline double attention_tolerance(const AttentionBound& bound) {
  const double delta = bound.score * (kHalfRounding + sum_tolerance(bound.head_dim));
  const double weights = std::expm1(2 * delta) + sum_tolerance(bound.tokens) + 16 * kFloatRounding;
  return bound.largest_value * (weights + kHalfRounding) * 1.01;  // 1.01: products of the small terms
}

}  // namespace llama_gpu::conformance
