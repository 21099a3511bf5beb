// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "text/special_tokens.h"
#include "text/tokenizer.h"

namespace llama_gpu::text {

// Bounds on what a model file may declare. The largest vocabularies in use have 262,144 tokens of up to 256
// bytes and 0.5 million merges; what passes these bounds loads within seconds and some hundred MB.
inline constexpr size_t kMaxTokens = size_t{1} << 20;
inline constexpr size_t kMaxTokenBytes = 4096;
inline constexpr size_t kMaxMerges = size_t{1} << 22;

// kTokenizerInvalid: `field` (the key in the model file) and what is wrong with it.
Error tokenizer_error(std::string_view field, const std::string& what);
// `text` in quotes, shortened and with what would spoil a line of a log escaped.
std::string in_quotes(std::string_view text);

// Tokens by their text. The views are into the spec's tokens.
using TokenIndex = std::unordered_map<std::string_view, TokenId>;

// Checks all that does not depend on the kind of tokenizer: counts, texts, kinds, ids.
Result<TokenIndex> check_tokens(const TokenizerSpec& spec);

// The kind of a token of a checked spec.
TokenKind kind_of(const TokenizerSpec& spec, TokenId token);

// The byte that a token of kind kByte stands for: its text is <0xXX>. kTokenizerInvalid for any other text.
Result<uint8_t> byte_of(const TokenizerSpec& spec, TokenId token);

// What every tokenizer knows of its tokens.
struct TokenTable {
  std::vector<std::string> bytes;  // that a token stands for
  std::vector<TokenKind> kinds;
  std::vector<bool> ends_generation;
  SpecialTokens special;
  std::optional<TokenId> bos, eos;
  bool add_bos = false;
  bool add_eos = false;
  bool adds_leading_space = false;  // decoding takes one off
};

// REQUIRES: `spec` passed check_tokens(); `bytes` has one entry for each token.
TokenTable make_token_table(const TokenizerSpec& spec, std::vector<std::string> bytes);

}  // namespace llama_gpu::text
