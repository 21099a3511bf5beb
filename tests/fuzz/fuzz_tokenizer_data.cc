// links: text
// SPDX-License-Identifier: Apache-2.0
//
// Vocabularies and merges as a model file may declare them, then text. An input is a row of choices from
// which a mostly valid TokenizerSpec is built; what is left of it is the text. A tokenizer that was accepted
// must give back every text, and the same tokens however the text is cut into spans.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/strings.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace llama_gpu::text {
namespace {

constexpr std::array<const char*, 4> kPreTokenizers = {"gpt-2", "smollm", "llama-bpe", "other"};
constexpr std::array<const char*, 16> kParts = {"a", "b",  "\u0120", "\u2581", "<s>", "</s>",   "<", "1",
                                                " ", "ab", "<0x-1>", "<0x41>", "\n",  "\u00E9", "",  "\xFF"};

// Takes choices from an input's front; zeros once it is empty.
class SpecReader {
 public:
  explicit SpecReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  TokenizerSpec read() {
    const uint8_t flags = next();
    spec_.model = (flags & 1) != 0 ? "llama" : "gpt2";
    spec_.pre = kPreTokenizers[flags >> 1 & 3];
    is_complete_ = (flags & 8) != 0;
    spec_.add_space_prefix = (flags & 16) != 0;
    spec_.add_bos = (flags & 32) != 0;
    spec_.add_eos = (flags & 64) != 0;
    if (is_complete_) add_all_bytes();
    for (int num_entries = next() % 64; num_entries > 0; --num_entries) add_entry();
    if ((flags & 128) != 0) spec_.kinds.clear();
    return std::move(spec_);
  }

  // Whether the vocabulary spells every byte.
  bool is_complete() const { return is_complete_; }
  std::string rest() const { return {bytes_.begin(), bytes_.end()}; }

 private:
  uint8_t next() {
    if (bytes_.empty()) return 0;
    const uint8_t value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }

  void add_token(std::string text, TokenKind kind) {
    spec_.tokens.push_back(std::move(text));
    spec_.kinds.push_back(kind);
    if (spec_.model == "llama") spec_.scores.push_back(static_cast<float>(next() % 8));
  }

  void add_all_bytes() {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    for (int i = 0; i < 256; ++i) {
      const auto byte = static_cast<uint8_t>(i);
      if (spec_.model == "gpt2") {
        spec_.tokens.push_back(spell_byte(byte));
        spec_.kinds.push_back(TokenKind::kNormal);
      } else {
        spec_.tokens.push_back({'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'});
        spec_.kinds.push_back(TokenKind::kByte);
        spec_.scores.push_back(0);
      }
    }
  }

  std::string text() {
    std::string text;
    for (int num_parts = next() % 4; num_parts >= 0; --num_parts) text += kParts[next() % kParts.size()];
    return text;
  }

  const std::string& some_token() {
    static const std::string kNone;
    const size_t high = next();
    const size_t low = next();
    return spec_.tokens.empty() ? kNone : spec_.tokens[(high << 8 | low) % spec_.tokens.size()];
  }

  TokenId some_id() {
    const auto size = static_cast<TokenId>(spec_.tokens.size());
    const TokenId id = next();
    return id == 255 ? -1 : id == 254 ? size : size == 0 ? 0 : id % size;
  }

  void add_entry() {
    const uint8_t choice = next();
    switch (choice % 8) {
      case 0: {
        const std::string left = some_token();
        const std::string right = some_token();
        spec_.merges.push_back(left + " " + right);
        return add_token(left + right, TokenKind::kNormal);
      }
      case 1:
        return spec_.merges.push_back(text());
      case 2:
        spec_.bos = some_id();
        return;
      case 3:
        spec_.eos = some_id();
        return;
      case 4:
        spec_.unknown = some_id();
        return;
      default:
        add_token(text(), static_cast<TokenKind>(choice >> 3 & 7));
    }
  }

  std::span<const uint8_t> bytes_;
  TokenizerSpec spec_;
  bool is_complete_ = false;
};

std::string with_spaces(std::string text) {
  constexpr std::string_view kSymbol = "\u2581";
  for (size_t at = 0; (at = text.find(kSymbol, at)) != std::string::npos;)
    text.replace(at, kSymbol.size(), " ");
  return text;
}

std::string bytes_of(const Tokenizer& tokenizer, std::span<const TokenId> tokens) {
  std::string bytes;
  for (const TokenId token : tokens) bytes += tokenizer.token_bytes(token);
  return bytes;
}

void check_spans(const Tokenizer& tokenizer, const std::string& text, const std::vector<TokenId>& expected) {
  std::vector<TextSpan> spans;
  for (size_t at = 0, size = 1; at < text.size(); at += size, size = size % 5 + 1)
    spans.push_back({text.substr(at, size), true});
  CHECK(tokenizer.encode(spans, false) == expected, "cutting into spans changed the tokens");
}

void check_streaming(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens) {
  Detokenizer detokenizer(tokenizer, /*is_continuation=*/false);
  std::string streamed;
  bool has_hidden = false;
  for (const TokenId token : tokens) {
    const std::string piece = detokenizer.append(token);
    CHECK(is_valid_utf8(piece), "a streamed piece is not UTF-8");
    streamed += piece;
    has_hidden |=
        tokenizer.kind(token) == TokenKind::kControl || tokenizer.kind(token) == TokenKind::kUnknown;
  }
  streamed += detokenizer.finish();
  CHECK(has_hidden || streamed == tokenizer.decode(tokens), "streaming and decoding differ");
}

void check_text(const Tokenizer& tokenizer, const std::string& text, bool is_complete) {
  for (const bool parse_special : {true, false}) {
    const std::vector<TokenId> tokens = tokenizer.encode(text, parse_special, /*add_special=*/false);
    if (parse_special) check_spans(tokenizer, text, tokens);
    check_streaming(tokenizer, tokens);
    for (const TokenId token : tokens) {
      CHECK(parse_special || tokenizer.kind(token) != TokenKind::kControl, "plain text has a control token");
    }
    if (is_complete && !tokenizer.adds_leading_space()) {
      CHECK(with_spaces(bytes_of(tokenizer, tokens)) == with_spaces(text), "the text did not come back");
    }
  }
  tokenizer.encode(text, true, /*add_special=*/true);
}

}  // namespace
}  // namespace llama_gpu::text

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace llama_gpu::text;
  SpecReader reader({data, size});
  const TokenizerSpec spec = reader.read();
  const bool has_kinds = !spec.kinds.empty();
  const auto tokenizer = Tokenizer::create(spec);
  if (!tokenizer.ok()) {
    CHECK(!tokenizer.error().message.empty(), "an error without a message");
    return 0;
  }
  check_text(**tokenizer, reader.rest(), reader.is_complete() && has_kinds);
  return 0;
}
