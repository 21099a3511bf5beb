// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/token_id.h"

namespace llama_gpu::engine {

// Arithmetic on one row of logits, [vocab]. Plain loops that the compiler turns into vector code, with sums
// in a fixed order, so that the same logits give the same bits on every machine.

// The largest value and its token; ties go to the lowest id. REQUIRES: no NaN, at least one value.
struct LargestLogit {
  TokenId token = 0;
  float value = 0;
};
LargestLogit find_largest(std::span<const float> logits);

// Whether no value is NaN or infinite.
bool all_finite(std::span<const float> logits);

// e^x for x <= 0 within 3 units of the last place; 0 below -87.
float exp_nonpositive(float x);

// weights[i] = e^((logits[i] - largest) / temperature). Returns their sum.
// REQUIRES: no logit exceeds `largest`, temperature > 0, spans of one length.
double softmax_weights(std::span<const float> logits, float largest, float temperature,
                       std::span<float> weights);

// ln(sum of e^logits[i]), `largest` being the largest of them. REQUIRES: all finite.
double log_sum_exp(std::span<const float> logits, float largest);

// The `count` tokens with the largest values, largest first, ties to the lowest id; all where there are
// fewer. `tokens` is cleared first; it allocates only where its capacity is below twice `count`.
void select_largest(std::span<const float> values, size_t count, std::vector<TokenId>& tokens);

}  // namespace llama_gpu::engine
