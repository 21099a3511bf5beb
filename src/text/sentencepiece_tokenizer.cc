// SPDX-License-Identifier: Apache-2.0
//
// A SentencePiece file lists tokens with scores, not merges. Any two neighbours whose texts together are a
// token may join, the best score first. So each token of two or more characters is split in every way into
// two symbols, and each split becomes a merge whose rank is the place of the token's score among all scores.
// Then text is encoded by the same PairMerger as BPE.
//
// A text is one long row of symbols, since nothing cuts it into words first. But two characters that are
// neighbours inside no token can never join, so the row is cut there: words come out of the vocabulary
// itself.
#include "text/sentencepiece_tokenizer.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "base/strings.h"

namespace llama_gpu::text {
namespace {

constexpr char32_t kSpaceSymbol = 0x2581;
constexpr std::string_view kTokensField = "tokenizer.ggml.tokens";
// Characters times bytes, over all tokens: the cost of splitting each everywhere. Llama 2 has 3 million.
constexpr uint64_t kMaxSplitWork = uint64_t{1} << 28;

// A token's text as characters.
struct Piece {
  TokenId id = 0;
  std::vector<char32_t> chars;
  std::vector<size_t> begins;  // byte offset of each character
};

// nullopt where the token takes no part in merging: it is not a plain one, or its text is not UTF-8.
std::optional<Piece> piece_of(const TokenizerSpec& spec, TokenId id) {
  if (kind_of(spec, id) != TokenKind::kNormal) return std::nullopt;
  const std::string_view text = spec.tokens[static_cast<size_t>(id)];
  Piece piece{.id = id, .chars = {}, .begins = {}};
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = first_utf8_char(text.substr(at));
    if (!c.is_valid) return std::nullopt;
    piece.chars.push_back(c.code_point);
    piece.begins.push_back(at);
    at += c.size_bytes;
  }
  return piece;
}

// Rank of each score: 0 for the best. Equal scores share one, so that the leftmost of them goes first.
std::map<float, int32_t, std::greater<>> rank_scores(const std::vector<float>& scores) {
  std::map<float, int32_t, std::greater<>> ranks;
  for (const float score : scores) ranks.emplace(score, 0);
  int32_t next = 0;
  for (auto& [score, rank] : ranks) rank = next++;
  return ranks;
}

// How a text spells a character that the vocabulary may spell otherwise.
std::string spelling_of(char32_t c) {
  std::string spelling;
  append_utf8(spelling, c == kSpaceSymbol ? U' ' : c);
  return spelling;
}

// Makes the symbols and merges of a vocabulary.
class VocabularyBuilder {
 public:
  // Both outlive it.
  VocabularyBuilder(const TokenizerSpec& spec, const TokenIndex& index) : spec_(spec), index_(index) {}

  Result<PieceVocabulary> build() {
    TRY_STATUS(read_pieces());
    number_chars();
    size_t num_splits = 0;
    for (const Piece& piece : pieces_) num_splits += piece.chars.size() - 1;
    made_.merges = MergeTable(num_splits);
    const auto ranks = rank_scores(spec_.scores);
    for (const Piece& piece : pieces_) {
      const size_t id = static_cast<size_t>(piece.id);
      add_splits(piece, spec_.scores.empty() ? 0 : ranks.at(spec_.scores[id]));
    }
    made_.num_tokens = spec_.tokens.size();
    made_.unknown = spec_.unknown;
    return std::move(made_);
  }

 private:
  Status read_pieces() {
    uint64_t work = 0;
    for (TokenId id = 0; static_cast<size_t>(id) < spec_.tokens.size(); ++id) {
      auto piece = piece_of(spec_, id);
      if (!piece) continue;
      work += uint64_t{piece->chars.size()} * spec_.tokens[static_cast<size_t>(id)].size();
      if (work > kMaxSplitWork) {
        return tokenizer_error(kTokensField, "has too many long tokens up to entry " + std::to_string(id) +
                                                 ": characters times bytes pass " +
                                                 std::to_string(kMaxSplitWork));
      }
      pieces_.push_back(*std::move(piece));
    }
    return {};
  }

  void number_chars() {
    for (const Piece& piece : pieces_) {
      if (piece.chars.size() == 1) made_.symbol_of_char.emplace(piece.chars[0], piece.id);
    }
    for (const Piece& piece : pieces_) {
      for (const char32_t c : piece.chars) {
        const auto symbol = static_cast<TokenId>(spec_.tokens.size() + made_.bare_chars.size());
        if (made_.symbol_of_char.emplace(c, symbol).second) made_.bare_chars.push_back(spelling_of(c));
      }
    }
  }

  // The symbol of characters [begin, end) of a piece, negative where they are none.
  TokenId symbol_of(const Piece& piece, size_t begin, size_t end) const {
    if (end - begin == 1) return made_.symbol_of_char.at(piece.chars[begin]);
    const std::string_view text = spec_.tokens[static_cast<size_t>(piece.id)];
    const size_t end_byte = end == piece.chars.size() ? text.size() : piece.begins[end];
    const auto found = index_.find(text.substr(piece.begins[begin], end_byte - piece.begins[begin]));
    if (found == index_.end() || kind_of(spec_, found->second) != TokenKind::kNormal) return -1;
    return found->second;
  }

  void add_splits(const Piece& piece, int32_t rank) {
    for (size_t at = 1; at < piece.chars.size(); ++at) {
      made_.inner_pairs.insert(pair_of(symbol_of(piece, at - 1, at), symbol_of(piece, at, at + 1)));
      const TokenId left = symbol_of(piece, 0, at), right = symbol_of(piece, at, piece.chars.size());
      if (left >= 0 && right >= 0) made_.merges.insert(left, right, {rank, piece.id});
    }
  }

  const TokenizerSpec& spec_;
  const TokenIndex& index_;
  std::vector<Piece> pieces_;
  PieceVocabulary made_{.merges = MergeTable(0)};
};

Result<ByteTokens> find_byte_tokens(const TokenizerSpec& spec) {
  ByteTokens tokens;
  tokens.fill(-1);
  for (TokenId id = 0; static_cast<size_t>(id) < spec.tokens.size(); ++id) {
    if (kind_of(spec, id) != TokenKind::kByte) continue;
    TRY(const uint8_t byte, byte_of(spec, id));
    if (tokens[byte] >= 0) {
      return tokenizer_error(kTokensField, "entries " + std::to_string(tokens[byte]) + " and " +
                                               std::to_string(id) + " both stand for byte " +
                                               std::to_string(byte));
    }
    tokens[byte] = id;
  }
  return tokens;
}

std::string with_spaces(std::string text) {
  constexpr std::string_view kSymbol = "\u2581";
  for (size_t at = 0; (at = text.find(kSymbol, at)) != std::string::npos; ++at)
    text.replace(at, kSymbol.size(), " ");
  return text;
}

std::vector<std::string> make_bytes(const TokenizerSpec& spec, const ByteTokens& byte_tokens) {
  std::vector<std::string> bytes = spec.tokens;
  for (TokenId id = 0; static_cast<size_t>(id) < bytes.size(); ++id) {
    std::string& text = bytes[static_cast<size_t>(id)];
    if (kind_of(spec, id) == TokenKind::kNormal) text = with_spaces(std::move(text));
  }
  for (size_t byte = 0; byte < byte_tokens.size(); ++byte) {
    if (byte_tokens[byte] >= 0)
      bytes[static_cast<size_t>(byte_tokens[byte])].assign(1, static_cast<char>(byte));
  }
  return bytes;
}

// Encodes one run of text: gathers characters into words, and merges each.
class RunEncoder {
 public:
  // `vocabulary` outlives it.
  explicit RunEncoder(const PieceVocabulary& vocabulary)
      : vocabulary_(vocabulary), merger_(vocabulary.merges) {}

  // `bytes`: how the text spells the character.
  void add(char32_t code_point, std::string_view bytes) {
    const auto found = vocabulary_.symbol_of_char.find(code_point);
    if (found == vocabulary_.symbol_of_char.end()) {
      finish_word();
      return spell(bytes);
    }
    if (!word_.empty() && !vocabulary_.inner_pairs.contains(pair_of(word_.back(), found->second)))
      finish_word();
    word_.push_back(found->second);
  }

  void add_invalid(std::string_view bytes) {
    finish_word();
    spell(bytes);
  }

  std::vector<TokenId> finish() {
    finish_word();
    return std::move(tokens_);
  }

 private:
  void finish_word() {
    const size_t num_tokens = vocabulary_.num_tokens;
    for (const TokenId symbol : merger_.merge(word_)) {
      const size_t index = static_cast<size_t>(symbol);
      if (index >= num_tokens) {
        spell(vocabulary_.bare_chars[index - num_tokens]);
      } else {
        tokens_.push_back(symbol);
      }
    }
    word_.clear();
  }

  // Bytes as byte tokens; as one unknown token where one of them has none, and where that follows another.
  void spell(std::string_view bytes) {
    const auto token_of = [&](char c) { return vocabulary_.byte_tokens[static_cast<uint8_t>(c)]; };
    if (std::ranges::all_of(bytes, [&](char c) { return token_of(c) >= 0; })) {
      for (const char c : bytes) tokens_.push_back(token_of(c));
    } else if (tokens_.empty() || tokens_.back() != *vocabulary_.unknown) {
      tokens_.push_back(*vocabulary_.unknown);
    }
  }

  const PieceVocabulary& vocabulary_;
  PairMerger merger_;
  std::vector<TokenId> word_;
  std::vector<TokenId> tokens_;
};

}  // namespace

Result<std::unique_ptr<const Tokenizer>> SentencePieceTokenizer::create(const TokenizerSpec& spec,
                                                                        const TokenIndex& index) {
  TRY(const ByteTokens byte_tokens, find_byte_tokens(spec));
  const auto num_bytes = std::ranges::count_if(byte_tokens, [](TokenId token) { return token >= 0; });
  const bool has_unknown = spec.unknown && kind_of(spec, *spec.unknown) != TokenKind::kControl;
  if (num_bytes < 256 && !has_unknown) {
    return tokenizer_error(kTokensField, "has tokens for " + std::to_string(num_bytes) +
                                             " bytes, expected all 256 where unknown_token_id names no token "
                                             "or a control token");
  }
  TRY(PieceVocabulary vocabulary, VocabularyBuilder(spec, index).build());
  vocabulary.byte_tokens = byte_tokens;
  TokenTable table = make_token_table(spec, make_bytes(spec, byte_tokens));
  table.add_bos = spec.add_bos.value_or(spec.bos.has_value());
  table.adds_leading_space = spec.add_space_prefix;
  return std::unique_ptr<const Tokenizer>(
      new SentencePieceTokenizer(std::move(table), std::move(vocabulary)));
}

SentencePieceTokenizer::SentencePieceTokenizer(TokenTable table, PieceVocabulary vocabulary)
    : Tokenizer(std::move(table)), vocabulary_(std::move(vocabulary)) {}

std::vector<TokenId> SentencePieceTokenizer::encode_run(std::string_view text) const {
  RunEncoder encoder(vocabulary_);
  if (adds_leading_space()) encoder.add(kSpaceSymbol, " ");
  while (!text.empty()) {
    const Utf8Char c = first_utf8_char(text);
    const std::string_view bytes = text.substr(0, c.size_bytes);
    if (c.is_valid) {
      encoder.add(c.code_point == ' ' ? kSpaceSymbol : c.code_point, bytes);
    } else {
      encoder.add_invalid(bytes);
    }
    text.remove_prefix(c.size_bytes);
  }
  return encoder.finish();
}

}  // namespace llama_gpu::text
