// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/generation.h"

namespace llama_gpu::server {

// Bodies of POST /tokenize, /detokenize and /apply-template: llama-server's fields, and `model` where
// it is named.
struct TokenizeCall {
  std::optional<std::string> model;
  engine::TextPrompt prompt;
  bool with_pieces = false;
  std::vector<std::string> ignored_fields;
};
struct DetokenizeCall {
  std::optional<std::string> model;
  std::vector<TokenId> tokens;
  std::vector<std::string> ignored_fields;
};
struct ApplyTemplateCall {
  std::optional<std::string> model;
  engine::ChatPrompt prompt;
  std::vector<std::string> ignored_fields;
};

// Errors as those of parse_chat_completion.
Result<TokenizeCall> parse_tokenize(std::string_view body);
Result<DetokenizeCall> parse_detokenize(std::string_view body);
Result<ApplyTemplateCall> parse_apply_template(std::string_view body);

}  // namespace llama_gpu::server
