// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "engine/generation.h"
#include "text/tokenizer.h"

namespace llama_gpu::engine {

// The log-probability of `token` and of the `num_top` most likely tokens under the raw model, before
// temperature, bias and penalties. REQUIRES: `logits` are finite, [vocab].
TokenLogprob score_token(std::span<const float> logits, TokenId token, int32_t num_top,
                         const text::Tokenizer& tokenizer);

}  // namespace llama_gpu::engine
