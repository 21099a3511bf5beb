// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"

namespace llama_gpu::text {

// One turn of a conversation.
struct ChatMessage {
  std::string role;
  std::string content;
  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

// What a template sees.
struct ChatTemplateInput {
  std::vector<ChatMessage> messages = {};
  bool add_generation_prompt = true;
  std::string bos_token = {};
  std::string eos_token = {};
  int64_t now_unix_seconds = 0;  // for strftime_now
};

// Bounds on one rendering, so that no template can hold the server: more is kTemplateError.
struct ChatTemplateLimits {
  int64_t max_steps = 10'000'000;
  int32_t max_depth = 256;
  size_t max_output_bytes = size_t{64} << 20;
  int64_t max_range = 1'000'000;
};

// A model's chat template, in a sandboxed subset of Jinja2 (trim_blocks and lstrip_blocks on): no attribute
// access beyond values, no files, no includes, no environment. Immutable after parse.
class ChatTemplate {
 public:
  // kTemplateError with line and column.
  static Result<std::unique_ptr<const ChatTemplate>> parse(std::string_view source,
                                                           ChatTemplateLimits limits = {});
  virtual ~ChatTemplate() = default;

  // The prompt, as spans: text of the template itself (and bos and eos tokens) has parse_special, text that
  // came from a message has not, whatever filters it went through.
  virtual Result<std::vector<TextSpan>> render(const ChatTemplateInput& input) const = 0;
};

}  // namespace llama_gpu::text
