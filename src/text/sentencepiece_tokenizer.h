// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "text/pair_merger.h"
#include "text/token_table.h"
#include "text/tokenizer.h"

namespace llama_gpu::text {

// Tokens by the byte that they stand for; negative where there is none.
using ByteTokens = std::array<TokenId, 256>;

// The vocabulary of a SentencePiece model, as merges between symbols.
//
// A symbol is a token, or a character that is no token itself but part of one; such symbols are numbered
// behind the tokens.
struct PieceVocabulary {
  MergeTable merges;
  size_t num_tokens = 0;
  std::unordered_map<char32_t, TokenId> symbol_of_char = {};
  std::vector<std::string> bare_chars = {};       // of the symbols behind the tokens
  std::unordered_set<uint64_t> inner_pairs = {};  // neighbours (symbol << 32 | symbol) inside some token
  ByteTokens byte_tokens = {};
  std::optional<TokenId> unknown = std::nullopt;  // there where a byte token is missing
};

// SentencePiece as Llama 2 uses it: spaces become U+2581, each character starts as a symbol, and of all
// neighbours that make a token the best-scored join first. Characters without a token become byte tokens.
// Immutable: any number of threads share one.
class SentencePieceTokenizer final : public Tokenizer {
 public:
  // Checks byte tokens and bounds the work that the vocabulary asks for. REQUIRES: `index` is
  // check_tokens(spec).
  static Result<std::unique_ptr<const Tokenizer>> create(const TokenizerSpec& spec, const TokenIndex& index);

 private:
  SentencePieceTokenizer(TokenTable table, PieceVocabulary vocabulary);
  std::vector<TokenId> encode_run(std::string_view text) const override;

  PieceVocabulary vocabulary_;
};

}  // namespace llama_gpu::text
