// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "base/result.h"
#include "tensor/token_id.h"

namespace llama_gpu::engine {

// Interfaces that the sampler calls for each token of one sequence. Nothing fills them yet; grammars and
// plugins connect here. Engine thread only; a call must be short, since every sequence of the step waits for
// it.

// Says which tokens may come next, as a grammar does.
class TokenMask {
 public:
  virtual ~TokenMask() = default;

  // Sets the logits of tokens that may not come next to minus infinity. `logits`: [vocab], finite at entry.
  virtual void apply(std::span<float> logits) = 0;
  // The token that was chosen.
  virtual void accept(TokenId token) = 0;
};

// What a hook may know of the sequence.
struct SamplerContext {
  std::span<const TokenId> tokens;  // prompt and answer so far
  size_t num_prompt_tokens = 0;
};

// Changes logits before a token is chosen, after biases and penalties and before the mask.
class SamplerHook {
 public:
  virtual ~SamplerHook() = default;

  // An error ends the sequence with it. `logits`: [vocab], host memory.
  virtual Status process(const SamplerContext& context, std::span<float> logits) = 0;
};

}  // namespace llama_gpu::engine
