// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "tensor/token_id.h"
#include "text/chat_template.h"

namespace llama_gpu::engine {

// How the next token is chosen from logits. Defaults are OpenAI's.
struct SamplingParams {
  float temperature = 1.0F;  // 0: the most likely token, ties to the lowest id
  int32_t top_k = 0;         // 0: all
  float top_p = 1.0F;
  float min_p = 0.0F;
  float repetition_penalty = 1.0F;  // over prompt and answer; 1: none
  float presence_penalty = 0.0F;    // over the answer
  float frequency_penalty = 0.0F;
  std::optional<uint64_t> seed = {};  // none: drawn by the engine
  std::vector<std::pair<TokenId, float>> logit_bias = {};
};

// A prompt as a client gave it: plain text, a conversation for the model's template, or token ids.
struct TextPrompt {
  std::string text;
  bool add_special = true;
  bool parse_special = true;
};
struct ChatPrompt {
  std::vector<text::ChatMessage> messages;
  bool add_generation_prompt = true;
};
using Prompt = std::variant<TextPrompt, ChatPrompt, std::vector<TokenId>>;

// Names a request among those running; chosen by the caller, never reused while it runs.
using RequestId = uint64_t;

// One request for text. Values are checked by Engine::submit.
struct GenerationRequest {
  RequestId id = 0;
  std::string trace_id;     // x-request-id, for the log
  std::string tenant_salt;  // separates prefix caches of tenants
  Prompt prompt;
  SamplingParams sampling;
  std::optional<int64_t> max_tokens;  // none: until the model ends or the context is full
  int32_t num_choices = 1;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  std::optional<int32_t> top_logprobs;  // none: no logprobs; 0: of the chosen token; up to 20
  bool prompt_logprobs = false;         // echo with logprobs: also score the prompt
  bool wants_prompt_text = false;       // echo of token ids: the receipt holds their text
  // When the client's request came, on this machine's steady clock; none: with its submit.
  std::optional<int64_t> received_ns = {};
};

enum class FinishReason : uint8_t { kStop, kLength, kCancelled, kError };

// A token with its log-probability under the raw model (before temperature, bias and penalties).
struct TokenLogprob {
  TokenId token = 0;
  std::string bytes = {};
  float logprob = 0;
  std::vector<std::pair<TokenId, float>> top = {};  // most likely first
  std::vector<std::string> top_bytes = {};          // beside `top`
};

// What is known once a request was accepted.
struct SubmitReceipt {
  RequestId id = 0;
  std::vector<TokenId> prompt_tokens;
  std::optional<std::string> prompt_text = {};  // where it was asked for; filled in by the worker
};

// News of one choice of one request after a step.
struct SequenceUpdate {
  RequestId id = 0;
  int32_t choice = 0;
  std::string text;                    // valid UTF-8, never part of a stop string
  std::vector<TokenId> tokens;         // sampled since the last update, those held back included
  std::vector<TokenLogprob> logprobs;  // beside `tokens`, where asked for
  std::vector<TokenLogprob>
      prompt_logprobs;  // once, in the first update: entry i scores prompt token i (0 has none)
  std::optional<FinishReason> finish;  // set in the last update of the choice
  std::optional<Error> error;          // with FinishReason::kError
  // Once, in the first update after it got a place in a step: how long it waited for it since it was
  // received.
  std::optional<uint64_t> queue_microseconds;
  int32_t num_cached_prompt_tokens = 0;
};

// Hears of every sequence of an engine, once per step. Called on the engine thread; must not block it.
class GenerationListener {
 public:
  virtual ~GenerationListener() = default;
  // What is new of all sequences that moved. `updates` are borrowed for the call.
  virtual void on_step(std::span<const SequenceUpdate> updates) = 0;
};

}  // namespace llama_gpu::engine
