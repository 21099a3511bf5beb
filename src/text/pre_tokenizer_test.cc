// SPDX-License-Identifier: Apache-2.0
#include "text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace llama_gpu::text {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> words(std::string_view name, std::string_view text, RegexOptions options = {}) {
  const auto pre_tokenizer = PreTokenizer::create(name, options);
  std::vector<std::string> out;
  pre_tokenizer->for_each_word(text, [&](std::string_view word) { out.emplace_back(word); });
  return out;
}

TEST(PreTokenizer, Gpt2KeepsTheSpaceBeforeAWordAndSplitsContractions) {
  EXPECT_THAT(words("gpt-2", "I'm  here, aren't I?"),
              ElementsAre("I", "'m", " ", " here", ",", " aren", "'t", " I", "?"));
  EXPECT_THAT(words("gpt-2", "I'M 12345 x2"), ElementsAre("I", "'", "M", " 12345", " x", "2"));
}

TEST(PreTokenizer, WhiteSpaceAtTheEndStaysTogetherAndElsewhereLeavesItsLastToTheWord) {
  EXPECT_THAT(words("gpt-2", "a   b   "), ElementsAre("a", "  ", " b", "   "));
  EXPECT_THAT(words("gpt-2", "a \n b"), ElementsAre("a", " \n", " b"));
}

TEST(PreTokenizer, SmolLmTakesEachDigitAloneBeforeAnythingElse) {
  EXPECT_THAT(words("smollm", "a  12\u00BD\u00B2"), ElementsAre("a", "  ", "1", "2", "\u00BD", "\u00B2"));
}

TEST(PreTokenizer, Llama3GroupsDigitsByThreeAndReadsContractionsInAnyCase) {
  EXPECT_THAT(words("llama-bpe", "I'LL pay 12345!\n\nOK"),
              ElementsAre("I", "'LL", " pay", " ", "123", "45", "!\n\n", "OK"));
  EXPECT_THAT(words("llama-bpe", "x  \n y\t(z"), ElementsAre("x", "  \n", " y", "\t", "(z"));
}

TEST(PreTokenizer, CountsSpacesAndNewLettersAsUnicode16Does) {
  EXPECT_THAT(words("gpt-2", "a\u180Eb"), ElementsAre("a", "\u180E", "b"));     // a format character now
  EXPECT_THAT(words("gpt-2", "!\u180E!"), ElementsAre("!\u180E!"));             // so not white space
  EXPECT_THAT(words("gpt-2", "!\u0085!"), ElementsAre("!", "\u0085", "!"));     // next line
  EXPECT_THAT(words("gpt-2", "a\U00031350"), ElementsAre("a\U00031350"));       // a letter since 15
  EXPECT_THAT(words("gpt-2", "1\U0001E4F0"), ElementsAre("1\U0001E4F0"));       // a digit since 15
  EXPECT_THAT(words("smollm", "!\U00011DE0"), ElementsAre("!", "\U00011DE0"));  // a digit since 17
}

TEST(PreTokenizer, BytesThatAreNoCharactersAreWordsOfTheirOwn) {
  EXPECT_THAT(words("smollm", "ab\xFF\xC0\xE2\x82 cd\xF0"),
              ElementsAre("ab", "\xFF\xC0\xE2\x82", " cd", "\xF0"));
}

TEST(PreTokenizer, InterpretedPatternsCutTheSameWords) {
  const std::string text = "I'll sing 1,234 songs;\r\n  \u00E9t\u00E9 \U0001F600!! ";

  for (const char* name : {"smollm", "llama-bpe", "gpt-2"})
    EXPECT_EQ(words(name, text), words(name, text, {.use_jit = false})) << name;
}

TEST(PreTokenizer, LongRunsStayWithinTheLimitsWithAndWithoutJit) {
  for (const bool use_jit : {true, false}) {
    for (const char* run : {" ", "a", "!", "\n", "\u0301"}) {
      std::string text;
      while (text.size() < 300'000) text += run;

      EXPECT_EQ(words("llama-bpe", text, {.use_jit = use_jit}).size(), 1u) << use_jit << run;
    }
  }
}

TEST(PreTokenizer, AnUnknownNameIsRefusedWithTheKnownOnes) {
  const auto made = PreTokenizer::create("klingon");

  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kUnsupportedModel);
  EXPECT_THAT(made.error().message, HasSubstr("'klingon' (tokenizer.ggml.pre), known are 'gpt-2', 'smollm'"));
  EXPECT_THAT(PreTokenizer::create("").error().message,
              HasSubstr("names no pre-tokenizer (tokenizer.ggml.pre)"));
}

}  // namespace
}  // namespace llama_gpu::text
