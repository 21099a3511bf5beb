// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/jinja/source_map.h"

namespace llama_gpu::text::jinja {

// Kinds of tokens of a template.
enum class TokenType : uint8_t {
  kData,           // text outside tags, whitespace control applied
  kVariableBegin,  // {{
  kVariableEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,  // text: its value, escapes resolved
  kInteger,
  kFloat,
  kOperator,  // text: the operator
  kEnd,
};

// One token, with its place in the source.
struct Token {
  TokenType type = TokenType::kEnd;
  std::string text;
  SourceOffset offset = 0;

  // Whether it is this very token.
  bool is(TokenType wanted, std::string_view wanted_text) const {
    return type == wanted && text == wanted_text;
  }
  bool is_name(std::string_view name) const { return is(TokenType::kName, name); }
  bool is_operator(std::string_view symbol) const { return is(TokenType::kOperator, symbol); }
};

// The source as templates are read: line ends as \n, and without one at its end.
std::string normalize_newlines(std::string_view source);

// The tokens of a normalized source, the last one kEnd, with trim_blocks and lstrip_blocks on. Comments are
// left out and raw blocks are data. kTemplateError for what is no template.
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace llama_gpu::text::jinja
