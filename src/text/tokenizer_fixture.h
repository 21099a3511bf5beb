// SPDX-License-Identifier: Apache-2.0
//
// Small vocabularies for tests.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace llama_gpu::text {

// Bytes 0 to 255 are tokens 0 to 255; then "he" 256, "ll" 257, "hell" 258, "hello" 259, " h" 260, the control
// tokens "<s>" 261, "</s>" 262, and the user-defined token "<tool>" 263.
inline TokenizerSpec small_bpe_spec(std::string pre = "gpt-2") {
  TokenizerSpec spec;
  spec.model = "gpt2";
  spec.pre = std::move(pre);
  for (int byte = 0; byte < 256; ++byte) spec.tokens.push_back(spell_byte(static_cast<uint8_t>(byte)));
  for (const char* token : {"he", "ll", "hell", "hello", "\u0120h", "<s>", "</s>", "<tool>"})
    spec.tokens.emplace_back(token);
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  spec.kinds[261] = spec.kinds[262] = TokenKind::kControl;
  spec.kinds[263] = TokenKind::kUserDefined;
  spec.merges = {"h e", "l l", "he ll", "hell o", "\u0120 h"};
  spec.bos = 261;
  spec.eos = 262;
  return spec;
}

// "<unk>" 0, "<s>" 1, "</s>" 2, byte tokens 3 to 258, then plain tokens, better ones first: "\u2581" 259,
// "h" 260, "e" 261, "l" 262, "o" 263, "he" 264, "ll" 265, "llo" 266, "\u2581he" 267, "\u2581hello" 268,
// "\u00FC" 269, and "<tool>" 270, user-defined.
inline TokenizerSpec small_sentencepiece_spec() {
  constexpr const char* kHex = "0123456789ABCDEF";
  TokenizerSpec spec;
  spec.model = "llama";
  spec.tokens = {"<unk>", "<s>", "</s>"};
  spec.kinds = {TokenKind::kUnknown, TokenKind::kControl, TokenKind::kControl};
  for (size_t byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">");
    spec.kinds.push_back(TokenKind::kByte);
  }
  for (const char* token :
       {"\u2581", "h", "e", "l", "o", "he", "ll", "llo", "\u2581he", "\u2581hello", "\u00FC"}) {
    spec.tokens.emplace_back(token);
    spec.kinds.push_back(TokenKind::kNormal);
  }
  spec.tokens.emplace_back("<tool>");
  spec.kinds.push_back(TokenKind::kUserDefined);
  for (size_t i = 0; i < spec.tokens.size(); ++i) spec.scores.push_back(-static_cast<float>(i));
  spec.unknown = 0;
  spec.bos = 1;
  spec.eos = 2;
  return spec;
}

// REQUIRES: the spec is valid.
inline std::unique_ptr<const Tokenizer> make_tokenizer(const TokenizerSpec& spec) {
  auto tokenizer = Tokenizer::create(spec);
  CHECK(tokenizer.ok(), tokenizer.ok() ? "" : tokenizer.error().message.c_str());
  return *std::move(tokenizer);
}

}  // namespace llama_gpu::text
