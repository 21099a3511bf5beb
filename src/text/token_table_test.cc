// SPDX-License-Identifier: Apache-2.0
#include "text/token_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "text/tokenizer_fixture.h"

namespace llama_gpu::text {
namespace {

using testing::HasSubstr;

struct BadSpec {
  const char* name;
  std::function<void(TokenizerSpec&)> spoil;
  const char* message;
};

class BadSpecTest : public testing::TestWithParam<BadSpec> {};

TEST_P(BadSpecTest, IsRefusedNamingFieldValueAndWhatWasExpected) {
  TokenizerSpec spec = small_bpe_spec();
  GetParam().spoil(spec);

  const auto made = Tokenizer::create(spec);

  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kTokenizerInvalid);
  EXPECT_THAT(made.error().message, HasSubstr(GetParam().message));
  EXPECT_THAT(made.error().hint, HasSubstr("get it again"));
}

const BadSpec kBadSpecs[] = {
    {"NoTokens", [](auto& s) { s.tokens.clear(); },
     "tokenizer.ggml.tokens has 0 entries, expected 1 to 1048576"},
    {"TooManyTokens", [](auto& s) { s.tokens.resize(kMaxTokens + 1, "a"); }, "tokens has 1048577 entries"},
    {"ScoresTooFew", [](auto& s) { s.scores.resize(263); },
     "scores has 263 entries, expected 264, one for each"},
    {"ScoresTooMany", [](auto& s) { s.scores.resize(265); }, "scores has 265 entries"},
    {"ScoreNotANumber",
     [](auto& s) {
       s.scores.resize(264);
       s.scores[7] = std::numeric_limits<float>::quiet_NaN();
     },
     "tokenizer.ggml.scores entry 7 is not a number"},
    {"KindsTooFew", [](auto& s) { s.kinds.pop_back(); }, "token_type has 263 entries, expected 264"},
    {"KindsTooMany", [](auto& s) { s.kinds.push_back(TokenKind::kNormal); }, "token_type has 265 entries"},
    {"KindZero", [](auto& s) { s.kinds[3] = TokenKind{0}; }, "token_type entry 3 is 0, expected 1 to 6"},
    {"KindSeven", [](auto& s) { s.kinds[3] = TokenKind{7}; }, "token_type entry 3 is 7, expected 1 to 6"},
    {"BosNegative", [](auto& s) { s.bos = -1; }, "bos_token_id is -1, expected a token's number, 0 to 263"},
    {"EosBehindTheEnd", [](auto& s) { s.eos = 264; }, "eos_token_id is 264, expected"},
    {"EotHuge", [](auto& s) { s.eot = std::numeric_limits<TokenId>::max(); }, "eot_token_id is 2147483647"},
    {"UnknownSmall", [](auto& s) { s.unknown = std::numeric_limits<TokenId>::min(); },
     "unknown_token_id is -21"},
    {"AddBosWithout",
     [](auto& s) {
       s.bos.reset();
       s.add_bos = true;
     },
     "add_bos_token is true, but there is no bos_token_id"},
    {"AddEosWithout",
     [](auto& s) {
       s.eos.reset();
       s.add_eos = true;
     },
     "add_eos_token is true, but there is no eos_token_id"},
    {"EmptyToken", [](auto& s) { s.tokens[256].clear(); }, "tokenizer.ggml.tokens entry 256 is empty"},
    {"HugeToken", [](auto& s) { s.tokens[256].assign(1'000'000, 'x'); },
     "entry 256 has 1000000 bytes, expected at"},
    {"SameTokenTwice", [](auto& s) { s.tokens[257] = "he"; }, "entry 257 repeats entry 256, 'he'"},
    {"NoMerges", [](auto& s) { s.merges.clear(); }, "tokenizer.ggml.merges is missing or empty"},
    {"TooManyMerges", [](auto& s) { s.merges.resize(kMaxMerges + 1); },
     "merges has 4194305 entries, expected at most"},
    {"MergeEmpty", [](auto& s) { s.merges[1] = ""; }, "entry 1 is '', expected two tokens with one space"},
    {"MergeOneToken", [](auto& s) { s.merges[1] = "he"; }, "merges entry 1 is 'he', expected two tokens"},
    {"MergeNoLeft", [](auto& s) { s.merges[1] = " he"; }, "merges entry 1 is ' he'"},
    {"MergeNoRight", [](auto& s) { s.merges[1] = "he "; }, "merges entry 1 is 'he '"},
    {"MergeThree", [](auto& s) { s.merges[1] = "h e l"; }, "merges entry 1 is 'h e l'"},
    {"MergeOfMissing", [](auto& s) { s.merges[1] = "zz e"; }, "entry 1 needs the token 'zz', which the"},
    {"MergeWithMissing", [](auto& s) { s.merges[1] = "h zz"; }, "entry 1 needs the token 'zz'"},
    {"MergeToMissing", [](auto& s) { s.merges[1] = "he he"; }, "entry 1 needs the token 'hehe'"},
    {"MergeToControl",
     [](auto& s) {
       s.tokens[257] = "<s";
       s.merges = {"<s >"};
     },
     "entry 0 makes the token '<s>' of kind 3, expected kind 1: plain text must not spell another"},
    {"MalformedByteToken", [](auto& s) { s.kinds[250] = TokenKind::kByte; },
     "entry 250 is '\u00FA', expected <0x00>"},
};

INSTANTIATE_TEST_SUITE_P(Tokenizer, BadSpecTest, testing::ValuesIn(kBadSpecs),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(TokenTable, AByteTokenIsTwoHexDigitsBetweenItsBrackets) {
  TokenizerSpec spec = small_sentencepiece_spec();
  for (const char* text :
       {"<0x-1>", "<0x+1>", "<0x 1>", "<0x1>", "<0x001>", "<0xG0>", "<0X00>", "<0x00", "0x00>>"}) {
    spec.tokens[3] = text;

    const auto made = Tokenizer::create(spec);

    ASSERT_FALSE(made.ok()) << text;
    EXPECT_EQ(made.error().code, ErrorCode::kTokenizerInvalid);
    EXPECT_THAT(made.error().message,
                HasSubstr("tokens entry 3 is '" + std::string(text) + "', expected <0x00>"));
  }
  spec.tokens[3] = "<0x0a>";
  EXPECT_EQ(*byte_of(spec, 3), 0x0A);
}

TEST(TokenTable, AnUnknownKindOfTokenizerIsRefusedWithTheKnownOnes) {
  TokenizerSpec spec = small_bpe_spec();
  spec.model = "bert\n";

  const auto made = Tokenizer::create(spec);

  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::kUnsupportedModel);
  EXPECT_THAT(made.error().message, HasSubstr("'bert\\n' (tokenizer.ggml.model), known are 'gpt2'"));
}

TEST(TokenTable, QuotedTextIsShortAndPrintable) {
  EXPECT_EQ(in_quotes("a\u00E9\n"), "'a\u00E9\\n'");
  EXPECT_EQ(in_quotes(std::string(100, 'x')), "'" + std::string(64, 'x') + "...(+36 bytes)'");
}

}  // namespace
}  // namespace llama_gpu::text
