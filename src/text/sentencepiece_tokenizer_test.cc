// SPDX-License-Identifier: Apache-2.0
#include "text/sentencepiece_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/tokenizer_fixture.h"

namespace llama_gpu::text {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TokenId byte_token(uint8_t byte) { return 3 + byte; }

TEST(SentencePieceTokenizer, JoinsTheBestScoredNeighboursAndStartsAsAfterASpace) {
  const auto tokenizer = make_tokenizer(small_sentencepiece_spec());

  EXPECT_THAT(tokenizer->encode("hello", false, false), ElementsAre(268));
  EXPECT_THAT(tokenizer->encode("he", false, false), ElementsAre(267));
  EXPECT_THAT(tokenizer->encode("hello hell", false, false), ElementsAre(268, 267, 265));
  EXPECT_THAT(tokenizer->encode("", false, false), ElementsAre());
}

TEST(SentencePieceTokenizer, AScoreDecidesNotThePlaceInTheFile) {
  TokenizerSpec spec = small_sentencepiece_spec();
  spec.add_space_prefix = false;
  EXPECT_THAT(make_tokenizer(spec)->encode("hello", false, false), ElementsAre(264, 266));
  spec.tokens.emplace_back("el");
  spec.kinds.push_back(TokenKind::kNormal);
  spec.scores.push_back(1);
  EXPECT_THAT(make_tokenizer(spec)->encode("hello", false, false), ElementsAre(260, 271, 262, 263));
}

TEST(SentencePieceTokenizer, AmongEqualScoresTheLeftmostGoesFirst) {
  TokenizerSpec spec = small_sentencepiece_spec();
  spec.scores.clear();
  spec.add_space_prefix = false;

  EXPECT_THAT(make_tokenizer(spec)->encode("lll", false, false), ElementsAre(265, 262));
}

TEST(SentencePieceTokenizer, CharactersWithoutATokenBecomeBytes) {
  const auto tokenizer = make_tokenizer(small_sentencepiece_spec());

  EXPECT_THAT(tokenizer->encode("h\u00E9", false, false),
              ElementsAre(259, 260, byte_token(0xC3), byte_token(0xA9)));
  EXPECT_THAT(tokenizer->encode("\xFF\u00FC", false, false), ElementsAre(259, byte_token(0xFF), 269));
}

TEST(SentencePieceTokenizer, ACharacterThatIsOnlyPartOfATokenStillJoins) {
  TokenizerSpec spec = small_sentencepiece_spec();
  spec.tokens.emplace_back("x\u00E9");
  spec.kinds.push_back(TokenKind::kNormal);
  spec.scores.push_back(0);
  spec.add_space_prefix = false;

  const auto tokenizer = make_tokenizer(spec);

  EXPECT_THAT(tokenizer->encode("x\u00E9x", false, false), ElementsAre(271, byte_token('x')));
  EXPECT_THAT(tokenizer->encode("\u00E9", false, false), ElementsAre(byte_token(0xC3), byte_token(0xA9)));
}

TEST(SentencePieceTokenizer, CharactersWithoutBytesAreOneUnknownTokenARun) {
  TokenizerSpec spec = small_sentencepiece_spec();
  spec.tokens[3 + 0xC3] = "gone";
  spec.kinds[3 + 0xC3] = TokenKind::kUnused;

  EXPECT_THAT(make_tokenizer(spec)->encode("h\u00E9\u00E8h", false, false), ElementsAre(259, 260, 0, 260));
}

TEST(SentencePieceTokenizer, MissingBytesNeedAnUnknownTokenThatIsNoControlToken) {
  TokenizerSpec spec = small_sentencepiece_spec();
  spec.tokens[3 + 0xC3] = "gone";
  spec.kinds[3 + 0xC3] = TokenKind::kUnused;
  for (const std::optional<TokenId> unknown : {std::optional<TokenId>(), std::optional<TokenId>(2)}) {
    spec.unknown = unknown;

    const auto made = Tokenizer::create(spec);

    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code, ErrorCode::kTokenizerInvalid);
    EXPECT_THAT(made.error().message, HasSubstr("has tokens for 255 bytes, expected all 256"));
  }
}

TEST(SentencePieceTokenizer, TextBehindASpecialTokenStartsAsAfterASpaceToo) {
  const auto tokenizer = make_tokenizer(small_sentencepiece_spec());

  EXPECT_THAT(tokenizer->encode("<s>hello</s>", true, false), ElementsAre(1, 268, 2));
  EXPECT_THAT(tokenizer->encode("h<tool>h", false, true), ElementsAre(1, 259, 260, 270, 259, 260));
}

TEST(SentencePieceTokenizer, SpecialAndByteTokensAreNotSpelledByPlainText) {
  const auto tokenizer = make_tokenizer(small_sentencepiece_spec());

  EXPECT_EQ(tokenizer->decode(tokenizer->encode("<s><0x41>", false, false)), "<s><0x41>");
  EXPECT_THAT(tokenizer->encode("<0x41>", false, false),
              ElementsAre(259, byte_token('<'), byte_token('0'), byte_token('x'), byte_token('4'),
                          byte_token('1'), byte_token('>')));
}

TEST(SentencePieceTokenizer, DecodingTakesTheAddedSpaceOff) {
  const auto tokenizer = make_tokenizer(small_sentencepiece_spec());

  for (const char* text : {"hello", " hello", "he  llo ", "\u00FC\u00E9\U0001F600", "a\nb"})
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, false, false)), text);
  EXPECT_EQ(tokenizer->token_bytes(268), " hello");
  EXPECT_EQ(tokenizer->token_bytes(byte_token(7)), "\x07");
}

TEST(SentencePieceTokenizer, TwoTokensForOneByteAreRefused) {
  TokenizerSpec spec = small_sentencepiece_spec();
  spec.tokens[4] = "<0x0a>";

  const auto made = Tokenizer::create(spec);

  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.error().message, HasSubstr("entries 4 and 13 both stand for byte 10"));
}

TEST(SentencePieceTokenizer, AVocabularyOfManyLongTokensIsRefusedBeforeItCostsMinutes) {
  TokenizerSpec spec = small_sentencepiece_spec();
  for (int i = 0; i < 20; ++i) {
    spec.tokens.push_back(std::string(4000, 'x') + std::to_string(i));
    spec.kinds.push_back(TokenKind::kNormal);
    spec.scores.push_back(0);
  }

  const auto made = Tokenizer::create(spec);

  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.error().message, HasSubstr("has too many long tokens up to entry 287"));
}

TEST(SentencePieceTokenizer, TokensThatAreNotUtf8TakeNoPartInMerging) {
  TokenizerSpec spec = small_sentencepiece_spec();
  spec.tokens.emplace_back("h\xFF");
  spec.kinds.push_back(TokenKind::kNormal);
  spec.scores.push_back(9);

  EXPECT_THAT(make_tokenizer(spec)->encode("h\xFF", false, false), ElementsAre(259, 260, byte_token(0xFF)));
}

}  // namespace
}  // namespace llama_gpu::text
