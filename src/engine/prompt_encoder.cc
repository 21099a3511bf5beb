// SPDX-License-Identifier: Apache-2.0
#include "engine/prompt_encoder.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/load_tokenizer.h"

namespace llama_gpu::engine {
namespace {

constexpr const char* kTemplateKey = "tokenizer.chat_template";

Error empty_prompt(const char* param) {
  return {ErrorCode::kInvalidValue, "the prompt is empty, expected at least one token", "give some text",
          param};
}

std::string token_text(const text::Tokenizer& tokenizer, std::optional<TokenId> token) {
  return token ? std::string(tokenizer.token_bytes(*token)) : std::string();
}

}  // namespace

Result<std::unique_ptr<const PromptEncoder>> PromptEncoder::create(const formats::Metadata& metadata) {
  TRY(std::unique_ptr<const text::Tokenizer> tokenizer, load_tokenizer(metadata));
  std::unique_ptr<const text::ChatTemplate> chat_template;
  TRY(std::string source, metadata.string_or(kTemplateKey, ""));
  if (!source.empty()) {
    auto parsed = text::ChatTemplate::parse(source);
    if (parsed.ok()) {
      chat_template = std::move(parsed).value();
    } else {
      log_warning("the model's chat template cannot be used: chat is off",
                  {{"error", parsed.error().message}});
    }
  }
  return std::make_unique<const PromptEncoder>(std::move(tokenizer), std::move(chat_template));
}

PromptEncoder::PromptEncoder(std::unique_ptr<const text::Tokenizer> tokenizer,
                             std::unique_ptr<const text::ChatTemplate> chat_template)
    : tokenizer_(std::move(tokenizer)), chat_template_(std::move(chat_template)) {}

std::optional<int64_t> PromptEncoder::beyond(size_t size_bytes, int64_t max_tokens) const {
  const size_t longest = tokenizer_->max_token_bytes();
  const auto num_tokens = static_cast<int64_t>((size_bytes + longest - 1) / longest);
  return num_tokens > max_tokens ? std::optional(num_tokens) : std::nullopt;
}

Result<EncodedPrompt> PromptEncoder::encode(const Prompt& prompt, int64_t max_tokens) const {
  if (const auto* text = std::get_if<TextPrompt>(&prompt)) {
    if (text->text.empty()) return empty_prompt("prompt");
    if (const auto num_tokens = beyond(text->text.size(), max_tokens)) return EncodedPrompt{{}, num_tokens};
    TRY(std::vector<TokenId> tokens, encode_text(*text));
    if (tokens.empty()) return empty_prompt("prompt");
    return EncodedPrompt{std::move(tokens), {}};
  }
  if (const auto* chat = std::get_if<ChatPrompt>(&prompt)) {
    TRY(const std::vector<text::TextSpan> spans, render_spans(*chat));
    size_t size_bytes = 0;
    for (const text::TextSpan& span : spans) size_bytes += span.text.size();
    if (const auto num_tokens = beyond(size_bytes, max_tokens)) return EncodedPrompt{{}, num_tokens};
    // The template writes the tokens that begin a conversation itself.
    std::vector<TokenId> tokens = tokenizer_->encode(spans, /*add_special=*/false);
    if (tokens.empty()) return empty_prompt("messages");
    return EncodedPrompt{std::move(tokens), {}};
  }
  const auto& tokens = std::get<std::vector<TokenId>>(prompt);
  if (tokens.empty()) return empty_prompt("prompt");
  TRY_STATUS(check_ids(tokens, "prompt"));
  return EncodedPrompt{tokens, {}};
}

Result<std::vector<TokenId>> PromptEncoder::encode_text(const TextPrompt& prompt) const {
  return tokenizer_->encode(prompt.text, prompt.parse_special, prompt.add_special);
}

Result<std::string> PromptEncoder::render(const ChatPrompt& prompt) const {
  TRY(const std::vector<text::TextSpan> spans, render_spans(prompt));
  std::string text;
  for (const text::TextSpan& span : spans) text += span.text;
  return text;
}

Result<std::string> PromptEncoder::decode(std::span<const TokenId> tokens) const {
  TRY_STATUS(check_ids(tokens, "tokens"));
  return tokenizer_->decode(tokens);
}

Result<std::vector<text::TextSpan>> PromptEncoder::render_spans(const ChatPrompt& prompt) const {
  if (chat_template_ == nullptr) {
    return Error{ErrorCode::kTemplateError, "this model has no chat template that can be used",
                 "send a plain prompt to /v1/completions", "messages"};
  }
  if (prompt.messages.empty()) {
    return Error{ErrorCode::kInvalidValue, "there are no messages, expected at least one", "add a message",
                 "messages"};
  }
  return chat_template_->render({.messages = prompt.messages,
                                 .add_generation_prompt = prompt.add_generation_prompt,
                                 .bos_token = token_text(*tokenizer_, tokenizer_->bos()),
                                 .eos_token = token_text(*tokenizer_, tokenizer_->eos()),
                                 .now_unix_seconds = system_clock().unix_seconds()});
}

Status PromptEncoder::check_ids(std::span<const TokenId> tokens, std::string_view param) const {
  for (const TokenId token : tokens) {
    if (token >= 0 && token < tokenizer_->vocab_size()) continue;
    return Error{ErrorCode::kInvalidValue,
                 "token id " + std::to_string(token) + " is not in the vocabulary, expected 0 to " +
                     std::to_string(tokenizer_->vocab_size() - 1),
                 "tokenise with this model's own vocabulary", std::string(param)};
  }
  return {};
}

}  // namespace llama_gpu::engine
