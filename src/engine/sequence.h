// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/accept_request.h"
#include "engine/hooks.h"
#include "engine/scheduler.h"
#include "engine/stop_matcher.h"
#include "text/tokenizer.h"

namespace llama_gpu::engine {

// One choice of a request while it is generated. Engine thread only.
struct Sequence {
  SequenceId id = 0;
  std::shared_ptr<const AcceptedRequest> request;
  int32_t choice = 0;
  uint64_t seed = 0;
  std::vector<TokenId> tokens;  // prompt and answer; capacity for all that may come
  text::Detokenizer detokenizer;
  StopMatcher stops;
  std::vector<TokenLogprob> prompt_logprobs;        // until they are given out
  bool was_planned = false;                         // it has had a place in a step
  std::optional<uint64_t> queue_microseconds = {};  // until it is given out
  // Slots that nothing fills yet.
  std::unique_ptr<TokenMask> mask = nullptr;
  SamplerHook* hook = nullptr;

  size_t num_answer_tokens() const { return tokens.size() - request->prompt.size(); }
};

}  // namespace llama_gpu::engine
