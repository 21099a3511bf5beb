// SPDX-License-Identifier: Apache-2.0
#include "engine/logprobs.h"

#include "engine/logits.h"

namespace llama_gpu::engine {

TokenLogprob score_token(std::span<const float> logits, TokenId token, int32_t num_top,
                         const text::Tokenizer& tokenizer) {
  const double denominator = log_sum_exp(logits, find_largest(logits).value);
  const auto logprob = [&](TokenId id) {
    return static_cast<float>(static_cast<double>(logits[static_cast<size_t>(id)]) - denominator);
  };
  TokenLogprob score = {
      .token = token, .bytes = std::string(tokenizer.token_bytes(token)), .logprob = logprob(token)};
  if (num_top == 0) return score;
  std::vector<TokenId> top;
  select_largest(logits, static_cast<size_t>(num_top), top);
  for (const TokenId id : top) {
    score.top.emplace_back(id, logprob(id));
    score.top_bytes.emplace_back(tokenizer.token_bytes(id));
  }
  return score;
}

}  // namespace llama_gpu::engine
