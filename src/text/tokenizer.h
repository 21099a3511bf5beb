// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/token_id.h"

namespace llama_gpu::text {

// What a token is for, numbered as in GGUF's tokenizer.ggml.token_type.
enum class TokenKind : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

// A tokenizer as a model file declares it, not yet checked: Tokenizer::create does that.
struct TokenizerSpec {
  std::string model;  // "gpt2" (byte-level BPE) or "llama" (SentencePiece)
  std::string pre;    // pre-tokenizer, for BPE: "smollm", "llama-bpe", "gpt-2"
  std::vector<std::string> tokens;
  std::vector<float> scores;        // SentencePiece; empty or one for each token
  std::vector<TokenKind> kinds;     // empty or one for each token
  std::vector<std::string> merges;  // BPE: "left right", best first
  std::optional<TokenId> bos, eos, eot, unknown;
  std::optional<bool> add_bos;  // absent: as usual for this kind of tokenizer
  bool add_eos = false;
  bool add_space_prefix = true;  // SentencePiece: a text starts as if after a space
};

// A piece of a prompt. Special tokens are looked for only where `parse_special`: a template's own text, not
// what a user wrote.
struct TextSpan {
  std::string text;
  bool parse_special = false;
  friend bool operator==(const TextSpan&, const TextSpan&) = default;
};

struct ByteRange;
struct TokenTable;

// Turns text into a model's tokens and back. Immutable, so any number of threads share one.
class Tokenizer {
 public:
  // kTokenizerInvalid naming the field of the model file at fault, its value and what was expected;
  // kUnsupportedModel for a kind of tokenizer or pre-tokenizer that is not known.
  static Result<std::unique_ptr<const Tokenizer>> create(const TokenizerSpec& spec);
  virtual ~Tokenizer();

  // Tokens of the spans' text read as one: text between special tokens is one run, also across span borders.
  // A control token's text lies within neighbouring parse_special spans; user-defined tokens are found
  // anywhere. `add_special` puts BOS in front and EOS behind where the model wants them. Any bytes are
  // accepted: invalid UTF-8 becomes byte tokens; bytes that the vocabulary cannot spell are left out. O(n log
  // n).
  std::vector<TokenId> encode(std::span<const TextSpan> spans, bool add_special) const;
  std::vector<TokenId> encode(std::string_view text, bool parse_special, bool add_special) const;

  // The bytes that a token stands for; a control token's own name. May be part of a UTF-8 character.
  // REQUIRES: 0 <= token < vocab_size().
  std::string_view token_bytes(TokenId token) const;
  // Bytes of all tokens in order, a leading space that SentencePiece added taken off, invalid UTF-8 replaced
  // by U+FFFD. REQUIRES: each token is in the vocabulary.
  std::string decode(std::span<const TokenId> tokens) const;

  // Bytes of the longest token: a text has at least size / max_token_bytes() tokens, but where a vocabulary
  // has no token for some of its bytes.
  size_t max_token_bytes() const { return max_token_bytes_; }
  int32_t vocab_size() const;
  // REQUIRES: 0 <= token < vocab_size().
  TokenKind kind(TokenId token) const;
  std::optional<TokenId> bos() const;
  std::optional<TokenId> eos() const;
  // Whether generation ends at this token: EOS, EOT and control tokens of usual names for them.
  // REQUIRES: 0 <= token < vocab_size().
  bool ends_generation(TokenId token) const;
  // Whether encoding puts a space in front of a text, so that decoding takes one off.
  bool adds_leading_space() const;

 protected:
  explicit Tokenizer(TokenTable table);

 private:
  // Tokens of text in which no special token is left.
  virtual std::vector<TokenId> encode_run(std::string_view text) const = 0;
  std::vector<TokenId> encode_text(std::string_view text, std::span<const ByteRange> special_ranges,
                                   bool add_special) const;
  size_t checked(TokenId token) const;

  std::unique_ptr<const TokenTable> table_;
  size_t max_token_bytes_ = 1;
};

// Turns a stream of tokens into text that is valid UTF-8 at every point: bytes of an unfinished character
// wait for the next token. One sequence, one thread.
class Detokenizer {
 public:
  // `tokenizer` outlives it. `is_continuation`: the tokens follow a prompt, so a leading space stays.
  Detokenizer(const Tokenizer& tokenizer, bool is_continuation);

  // Text that is complete now; control tokens give none. REQUIRES: the token is in the vocabulary.
  std::string append(TokenId token);
  // What waits still, each broken sequence as U+FFFD.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  bool at_start_;
  std::string pending_;
};

}  // namespace llama_gpu::text
