// SPDX-License-Identifier: Apache-2.0
#include "text/bpe_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "text/tokenizer_fixture.h"

namespace llama_gpu::text {
namespace {

using testing::ElementsAre;

TEST(BpeTokenizer, MergesWithinWords) {
  const auto tokenizer = make_tokenizer(small_bpe_spec());

  EXPECT_THAT(tokenizer->encode("hello", false, false), ElementsAre(259));
  EXPECT_THAT(tokenizer->encode("hell yo", false, false), ElementsAre(258, ' ', 'y', 'o'));
  EXPECT_THAT(tokenizer->encode("o hello", false, false), ElementsAre('o', ' ', 259));
  EXPECT_THAT(tokenizer->encode("", false, false), ElementsAre());
}

TEST(BpeTokenizer, AWholeWordIsTakenBeforeMergesWhereThePreTokenizerSaysSo) {
  TokenizerSpec spec = small_bpe_spec("llama-bpe");
  spec.tokens.emplace_back("\u0120hello");
  spec.kinds.push_back(TokenKind::kNormal);

  EXPECT_THAT(make_tokenizer(spec)->encode(" hello", false, false), ElementsAre(264));
  spec.pre = "gpt-2";
  EXPECT_THAT(make_tokenizer(spec)->encode(" hello", false, false), ElementsAre(' ', 259));
}

TEST(BpeTokenizer, AWholeWordIsNeverAControlToken) {
  TokenizerSpec spec = small_bpe_spec("llama-bpe");
  spec.tokens.emplace_back("stop");
  spec.kinds.push_back(TokenKind::kControl);

  const auto tokenizer = make_tokenizer(spec);

  EXPECT_THAT(tokenizer->encode("stop", false, false), ElementsAre('s', 't', 'o', 'p'));
  EXPECT_THAT(tokenizer->encode("stop", true, false), ElementsAre(264));
}

TEST(BpeTokenizer, BosIsAddedWhereTheFileOrElseThePreTokenizerSaysSo) {
  TokenizerSpec spec = small_bpe_spec("llama-bpe");
  EXPECT_THAT(make_tokenizer(spec)->encode("h", false, true), ElementsAre(261, 'h'));
  spec.add_bos = false;
  spec.add_eos = true;
  EXPECT_THAT(make_tokenizer(spec)->encode("h", false, true), ElementsAre('h', 262));
  EXPECT_THAT(make_tokenizer(small_bpe_spec("gpt-2"))->encode("h", false, true), ElementsAre('h'));
}

TEST(BpeTokenizer, BytesThatTheVocabularyCannotSpellAreLeftOutAndTheOthersMeet) {
  TokenizerSpec spec = small_bpe_spec();
  spec.tokens['x'] = "not a byte";

  const auto tokenizer = make_tokenizer(spec);

  EXPECT_THAT(tokenizer->encode("hxe", false, false), ElementsAre(256));
  EXPECT_EQ(tokenizer->token_bytes('x'), "not a byte");
}

TEST(BpeTokenizer, TokenBytesFollowTheKindOfToken) {
  TokenizerSpec spec = small_bpe_spec();
  spec.tokens.emplace_back("<0xFE>");
  spec.kinds.push_back(TokenKind::kByte);

  const auto tokenizer = make_tokenizer(spec);

  EXPECT_EQ(tokenizer->token_bytes(260), " h");
  EXPECT_EQ(tokenizer->token_bytes(0xFF), "\xFF");
  EXPECT_EQ(tokenizer->token_bytes(262), "</s>");
  EXPECT_EQ(tokenizer->token_bytes(264), "\xFE");
}

TEST(BpeTokenizer, AnyBytesComeBackAsTheyWere) {
  std::mt19937 random(7);
  for (const char* pre : {"gpt-2", "smollm", "llama-bpe"}) {
    const auto tokenizer = make_tokenizer(small_bpe_spec(pre));
    for (int round = 0; round < 200; ++round) {
      std::string text(random() % 40, ' ');
      for (char& c : text) c = "hello \n1\xC3\xA9\xF0\x9F\xFF\0"[random() % 15];

      std::string bytes;
      for (const TokenId token : tokenizer->encode(text, false, false))
        bytes += tokenizer->token_bytes(token);

      EXPECT_EQ(bytes, text) << pre;
    }
  }
}

TEST(BpeTokenizer, AMebibyteOfOneCharacterIsOneWord) {
  const auto tokenizer = make_tokenizer(small_bpe_spec());

  EXPECT_EQ(tokenizer->encode(std::string(1 << 20, 'l'), false, false).size(), size_t{1} << 19);
}

}  // namespace
}  // namespace llama_gpu::text
