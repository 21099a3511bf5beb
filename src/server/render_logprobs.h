// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/generation.h"

namespace llama_gpu::server {

// Finds the token that ends an answer and has no text of its own (EOS, or the end of a stop string): it is
// counted, but not listed. One choice.
class ShownTokens {
 public:
  // The entries of an update that are listed. Updates come in order.
  std::span<const engine::TokenLogprob> of(const engine::SequenceUpdate& update);

 private:
  size_t text_bytes_ = 0;
  size_t token_bytes_ = 0;
};

// Logprobs in the form of chat completions, collected token by token.
class ChatLogprobs {
 public:
  // One more sampled token; it keeps its `top` alternatives.
  void append(const engine::TokenLogprob& token);
  // Appends {"content":[...],"refusal":null} of what was collected since the last take().
  void take(std::string& out);

 private:
  std::string entries_;
};

// Logprobs in the form of completions: four lists beside each other.
class CompletionLogprobs {
 public:
  // `has_score` is false for the first token of a prompt, which nothing predicts.
  void append(const engine::TokenLogprob& token, bool has_score = true);
  // Appends {"tokens":[...],...} of what was collected since the last take(). Offsets go on.
  void take(std::string& out);
  bool empty() const { return tokens_.empty(); }

 private:
  std::string tokens_, scores_, tops_, offsets_;
  int64_t next_offset_ = 0;  // in characters
};

}  // namespace llama_gpu::server
