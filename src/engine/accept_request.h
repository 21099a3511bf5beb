// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/generation.h"
#include "engine/prompt_encoder.h"

namespace llama_gpu::engine {

// A request whose every value was checked, ready to run. Immutable, shared by its choices.
struct AcceptedRequest {
  RequestId id = 0;
  SteadyTime received;
  std::vector<TokenId> prompt;  // 1 to context_tokens
  SamplingParams sampling;
  uint64_t seed = 0;           // given, or drawn
  int32_t max_new_tokens = 0;  // what max_tokens and the context leave
  int32_t num_choices = 1;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  std::optional<int32_t> top_logprobs;
  bool prompt_logprobs = false;
};

// What a request is checked against. Borrowed for the call.
struct AcceptContext {
  const PromptEncoder& encoder;
  int32_t context_tokens = 0;
  uint64_t drawn_seed = 0;  // for a request that gives none
  SteadyTime received = {};
};

// The values that need no model. kInvalidValue with the wire name of the field in `param`; nothing is
// clamped.
Status check_values(const GenerationRequest& request, int32_t vocab_size);

// Checks, renders and tokenises a request. kInvalidValue, kTemplateError, kContextLengthExceeded.
Result<std::shared_ptr<const AcceptedRequest>> accept_request(GenerationRequest request,
                                                              const AcceptContext& context);

}  // namespace llama_gpu::engine
