// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/tokenizer_fixture.h"

namespace llama_gpu::text {
namespace {

using testing::ElementsAre;

std::vector<TokenId> encode(const std::vector<TextSpan>& spans) {
  return make_tokenizer(small_bpe_spec())->encode(spans, false);
}

TEST(Tokenizer, TextBetweenSpecialTokensIsOneRunAcrossSpanBorders) {
  EXPECT_THAT(encode({{"<s>he", true}, {"llo", false}, {"</s>", true}}), ElementsAre(261, 259, 262));
}

TEST(Tokenizer, SpecialTokensAreFoundOnlyWhereSpansAllowThem) {
  EXPECT_THAT(encode({{"<s>", false}}), ElementsAre('<', 's', '>'));
  EXPECT_THAT(encode({{"<s", true}, {">", false}}), ElementsAre('<', 's', '>'));
  EXPECT_THAT(encode({{"<", false}, {"s>", true}}), ElementsAre('<', 's', '>'));
  EXPECT_THAT(encode({{"<", true}, {"s", false}, {">", true}}), ElementsAre('<', 's', '>'));
}

TEST(Tokenizer, NeighbouringSpansThatAllowThemCountAsOne) {
  EXPECT_THAT(encode({{"<", true}, {"", false}, {"s>", true}}), ElementsAre(261));
}

TEST(Tokenizer, UserDefinedTokensAreFoundInPlainTextAndAcrossBorders) {
  EXPECT_THAT(encode({{"h<to", false}, {"ol>", true}}), ElementsAre('h', 263));
}

TEST(Tokenizer, SpansWithoutTextHaveNoTokens) {
  EXPECT_THAT(encode({}), ElementsAre());
  EXPECT_THAT(encode({{"", true}, {"", false}}), ElementsAre());
}

TEST(Tokenizer, KnowsItsTokens) {
  TokenizerSpec spec = small_bpe_spec();
  spec.eot = 263;

  const auto tokenizer = make_tokenizer(spec);

  EXPECT_EQ(tokenizer->vocab_size(), 264);
  EXPECT_EQ(tokenizer->kind(262), TokenKind::kControl);
  EXPECT_EQ(tokenizer->bos(), 261);
  EXPECT_EQ(tokenizer->eos(), 262);
  EXPECT_TRUE(tokenizer->ends_generation(262));
  EXPECT_TRUE(tokenizer->ends_generation(263));
  EXPECT_FALSE(tokenizer->ends_generation(261));
  EXPECT_FALSE(tokenizer->ends_generation('h'));
}

TEST(Tokenizer, ControlTokensOfUsualNamesEndGenerationAndPlainOnesDoNot) {
  TokenizerSpec spec = small_bpe_spec();
  spec.eos.reset();
  for (const char* name : {"<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<|eom_id|>"}) {
    spec.tokens.emplace_back(name);
    spec.kinds.push_back(TokenKind::kControl);
  }

  const auto tokenizer = make_tokenizer(spec);
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  const auto plain = make_tokenizer(spec);

  for (TokenId id = 264; id < 269; ++id) {
    EXPECT_TRUE(tokenizer->ends_generation(id));
    EXPECT_FALSE(plain->ends_generation(id));
  }
  EXPECT_TRUE(tokenizer->ends_generation(262));  // </s>
}

TEST(Tokenizer, DecodingReplacesBrokenCharacters) {
  const auto tokenizer = make_tokenizer(small_bpe_spec());

  const TokenId tokens[] = {261, 'a', 0xE2, 0x82, 'b', 0xC3, 0xA9, 0xF0};

  EXPECT_EQ(tokenizer->decode(tokens), "<s>a\uFFFDb\u00E9\uFFFD");
}

TEST(TokenizerDeathTest, AskingForATokenOutsideTheVocabularyIsABrokenInvariant) {
  const auto tokenizer = make_tokenizer(small_bpe_spec());

  EXPECT_DEATH(tokenizer->token_bytes(264), "outside the vocabulary");
  EXPECT_DEATH(tokenizer->token_bytes(-1), "outside the vocabulary");
}

TEST(Detokenizer, HoldsTheBytesOfAnUnfinishedCharacterBack) {
  const auto tokenizer = make_tokenizer(small_bpe_spec());
  Detokenizer detokenizer(*tokenizer, true);

  EXPECT_EQ(detokenizer.append('a'), "a");
  EXPECT_EQ(detokenizer.append(0xE2), "");
  EXPECT_EQ(detokenizer.append(0x82), "");
  EXPECT_EQ(detokenizer.append(261), "");
  EXPECT_EQ(detokenizer.append(0xAC), "\u20AC");
  EXPECT_EQ(detokenizer.finish(), "");
}

TEST(Detokenizer, ReplacesWhatCannotBecomeACharacter) {
  const auto tokenizer = make_tokenizer(small_bpe_spec());
  Detokenizer detokenizer(*tokenizer, true);

  EXPECT_EQ(detokenizer.append(0xE2), "");
  EXPECT_EQ(detokenizer.append('b'), "\uFFFDb");
  EXPECT_EQ(detokenizer.append(0xFF), "\uFFFD");
  EXPECT_EQ(detokenizer.append(0xF0), "");
  EXPECT_EQ(detokenizer.finish(), "\uFFFD");
  EXPECT_EQ(detokenizer.finish(), "");
}

TEST(Detokenizer, TakesTheAddedSpaceOffATextsStartOnly) {
  const auto tokenizer = make_tokenizer(small_sentencepiece_spec());
  Detokenizer whole(*tokenizer, false);
  Detokenizer answer(*tokenizer, true);

  EXPECT_EQ(whole.append(1), "");  // <s>
  EXPECT_EQ(whole.append(268), "hello");
  EXPECT_EQ(whole.append(268), " hello");
  EXPECT_EQ(answer.append(268), " hello");
}

TEST(Detokenizer, PiecesTogetherAreTheDecodedText) {
  const auto tokenizer = make_tokenizer(small_bpe_spec());
  std::string text;
  for (int i = 0; i < 64; ++i) text += static_cast<char>(i * 37);
  const auto tokens = tokenizer->encode(text, false, false);
  Detokenizer detokenizer(*tokenizer, false);

  std::string streamed;
  for (const TokenId token : tokens) streamed += detokenizer.append(token);
  streamed += detokenizer.finish();

  EXPECT_EQ(streamed, tokenizer->decode(tokens));
}

}  // namespace
}  // namespace llama_gpu::text
