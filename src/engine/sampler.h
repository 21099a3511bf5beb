// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/generation.h"
#include "engine/hooks.h"

namespace llama_gpu::engine {

// What decides one sequence's next token beside its logits. Borrowed for the call.
struct SamplingInput {
  const SamplingParams& params;
  uint64_t seed = 0;                     // of this sequence; params.seed is the request's
  std::span<const TokenId> tokens = {};  // prompt and answer so far
  size_t num_prompt_tokens = 0;
  TokenMask* mask = nullptr;
  SamplerHook* hook = nullptr;
};

// A number in [0, 1) that depends on a sequence's seed and a position only, so that a draw does not depend on
// what else runs, nor on how often the position was computed.
double uniform_at(uint64_t seed, uint64_t position);

// The seed of one choice of a request.
uint64_t choice_seed(uint64_t request_seed, int32_t choice);

// Chooses tokens from logits:
//
//   logits + bias -> penalties -> hook -> mask -> [temperature 0: the largest]
//     -> softmax at temperature -> top_k -> top_p -> min_p -> draw
//
// A function of its arguments; holds only scratch memory, taken once. One thread.
class Sampler {
 public:
  explicit Sampler(int32_t vocab_size);

  // kNumericError where a logit of the model is not finite, kNoValidToken where nothing may be chosen.
  // `logits`: [vocab] of the raw model.
  Result<TokenId> choose(std::span<const float> logits, const SamplingInput& input);

 private:
  Result<std::span<const float>> adjust(std::span<const float> logits, const SamplingInput& input);
  void penalise(const SamplingInput& input);
  TokenId draw(std::span<const float> logits, float largest, const SamplingInput& input);
  double keep_candidates(double total, const SamplingParams& params);
  void keep_top_p(double total, float top_p);

  std::vector<float> adjusted_;      // [vocab]
  std::vector<float> weights_;       // [vocab]
  std::vector<int32_t> counts_;      // [vocab], all zero between calls
  std::vector<TokenId> candidates_;  // most likely first
};

}  // namespace llama_gpu::engine
