// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/generation.h"
#include "formats/metadata.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace llama_gpu::engine {

// A prompt as tokens, or, where it is too long for that, only how many they would be.
struct EncodedPrompt {
  std::vector<TokenId> tokens;
  std::optional<int64_t> at_least;  // set: `tokens` is empty, and there would be so many or more
};

// Turns prompts into tokens: renders conversations with the model's template and tokenises them so that only
// the template's own text is parsed for special tokens. Immutable; any thread.
class PromptEncoder {
 public:
  // Takes the model's template, where it has a good one; a bad one is logged and turns chat off.
  static Result<std::unique_ptr<const PromptEncoder>> create(const formats::Metadata& metadata);
  // From parts, for tests. `chat_template` may be null.
  PromptEncoder(std::unique_ptr<const text::Tokenizer> tokenizer,
                std::unique_ptr<const text::ChatTemplate> chat_template);

  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  bool has_chat_template() const { return chat_template_ != nullptr; }

  // Text that must have more than `max_tokens` is not tokenised, which takes many times its memory.
  // kInvalidValue (with param) for an empty prompt or an id outside of the vocabulary, kTemplateError.
  Result<EncodedPrompt> encode(const Prompt& prompt, int64_t max_tokens) const;
  Result<std::vector<TokenId>> encode_text(const TextPrompt& prompt) const;

  // The rendered conversation as text. kTemplateError.
  Result<std::string> render(const ChatPrompt& prompt) const;

  // kInvalidValue, param "tokens", for an id outside of the vocabulary.
  Result<std::string> decode(std::span<const TokenId> tokens) const;

 private:
  Result<std::vector<text::TextSpan>> render_spans(const ChatPrompt& prompt) const;
  // More than `max_tokens` where so much text cannot have fewer.
  std::optional<int64_t> beyond(size_t size_bytes, int64_t max_tokens) const;
  Status check_ids(std::span<const TokenId> tokens, std::string_view param) const;

  std::unique_ptr<const text::Tokenizer> tokenizer_;
  std::unique_ptr<const text::ChatTemplate> chat_template_;  // null: the model has none that can be used
};

}  // namespace llama_gpu::engine
