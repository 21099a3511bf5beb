// SPDX-License-Identifier: Apache-2.0
#include "text/bpe_tokenizer.h"

#include <utility>

#include "text/byte_alphabet.h"

namespace llama_gpu::text {
namespace {

constexpr std::string_view kMergesField = "tokenizer.ggml.merges";

Result<TokenId> token_of(const TokenIndex& index, std::string_view text, size_t merge) {
  const auto found = index.find(text);
  if (found != index.end()) return found->second;
  return tokenizer_error(kMergesField, "entry " + std::to_string(merge) + " needs the token " +
                                           in_quotes(text) + ", which the vocabulary has not");
}

// A merge's result is longer than its parts, which are not empty: merges cannot run in a circle.
Result<MergeTable> make_merges(const TokenizerSpec& spec, const TokenIndex& index) {
  if (spec.merges.empty())
    return tokenizer_error(kMergesField, "is missing or empty, expected the merges of a BPE tokenizer");
  MergeTable merges(spec.merges.size());
  for (size_t i = 0; i < spec.merges.size(); ++i) {
    const std::string_view text = spec.merges[i];
    const size_t space = text.find(' ');
    if (space == 0 || space >= text.size() - 1 || text.find(' ', space + 1) != std::string_view::npos) {
      return tokenizer_error(kMergesField, "entry " + std::to_string(i) + " is " + in_quotes(text) +
                                               ", expected two tokens with one space between them");
    }
    const std::string_view left_text = text.substr(0, space), right_text = text.substr(space + 1);
    TRY(const TokenId left, token_of(index, left_text, i));
    TRY(const TokenId right, token_of(index, right_text, i));
    TRY(const TokenId result, token_of(index, std::string(left_text) + std::string(right_text), i));
    if (const TokenKind kind = kind_of(spec, result); kind != TokenKind::kNormal) {
      return tokenizer_error(kMergesField, "entry " + std::to_string(i) + " makes the token " +
                                               in_quotes(spec.tokens[static_cast<size_t>(result)]) +
                                               " of kind " + std::to_string(static_cast<int>(kind)) +
                                               ", expected kind 1: plain text must not spell another");
    }
    merges.insert(left, right, {static_cast<int32_t>(i), result});
  }
  return merges;
}

// The bytes that each token stands for. One that is not spelled in the byte alphabet stands for its own text.
Result<std::vector<std::string>> make_bytes(const TokenizerSpec& spec) {
  std::vector<std::string> bytes;
  bytes.reserve(spec.tokens.size());
  for (TokenId id = 0; static_cast<size_t>(id) < spec.tokens.size(); ++id) {
    const std::string& text = spec.tokens[static_cast<size_t>(id)];
    const TokenKind kind = kind_of(spec, id);
    if (kind == TokenKind::kByte) {
      TRY(const uint8_t byte, byte_of(spec, id));
      bytes.emplace_back(1, static_cast<char>(byte));
    } else if (kind == TokenKind::kNormal) {
      bytes.push_back(unspell_bytes(text).value_or(text));
    } else {
      bytes.push_back(text);
    }
  }
  return bytes;
}

}  // namespace

Result<std::unique_ptr<const Tokenizer>> BpeTokenizer::create(const TokenizerSpec& spec,
                                                              const TokenIndex& index) {
  TRY(PreTokenizer pre_tokenizer, PreTokenizer::create(spec.pre));
  TRY(MergeTable merges, make_merges(spec, index));
  TRY(std::vector<std::string> bytes, make_bytes(spec));
  TokenTable table = make_token_table(spec, std::move(bytes));
  table.add_bos = spec.add_bos.value_or(pre_tokenizer.adds_bos() && spec.bos.has_value());
  return std::unique_ptr<const Tokenizer>(
      new BpeTokenizer({std::move(table), std::move(pre_tokenizer), std::move(merges)}, spec, index));
}

BpeTokenizer::BpeTokenizer(Parts parts, const TokenizerSpec& spec, const TokenIndex& index)
    : Tokenizer(std::move(parts.table)),
      pre_tokenizer_(std::move(parts.pre_tokenizer)),
      merges_(std::move(parts.merges)) {
  for (size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
    const auto found = index.find(spell_byte(static_cast<uint8_t>(byte)));
    const bool is_usable = found != index.end() && kind_of(spec, found->second) == TokenKind::kNormal;
    byte_tokens_[byte] = is_usable ? found->second : -1;
  }
  if (!pre_tokenizer_.takes_whole_words()) return;
  for (TokenId id = 0; id < vocab_size(); ++id) {
    const bool is_spelled = unspell_bytes(spec.tokens[static_cast<size_t>(id)]).has_value();
    if (is_spelled && kind(id) == TokenKind::kNormal) whole_words_.emplace(token_bytes(id), id);
  }
}

std::vector<TokenId> BpeTokenizer::encode_run(std::string_view text) const {
  std::vector<TokenId> tokens;
  std::vector<TokenId> symbols;
  PairMerger merger(merges_);
  pre_tokenizer_.for_each_word(text, [&](std::string_view word) {
    if (const auto whole = whole_words_.find(word); whole != whole_words_.end())
      return tokens.push_back(whole->second);
    symbols.clear();
    for (const char c : word) {
      const TokenId token = byte_tokens_[static_cast<uint8_t>(c)];
      if (token >= 0) symbols.push_back(token);
    }
    const auto merged = merger.merge(symbols);
    tokens.insert(tokens.end(), merged.begin(), merged.end());
  });
  return tokens;
}

}  // namespace llama_gpu::text
