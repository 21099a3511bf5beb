// SPDX-License-Identifier: Apache-2.0
#include "server/parse_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace llama_gpu::server {
namespace {

using testing::ElementsAre;

TEST(ParseText, GivesLlamaServersDefaults) {
  const auto call = parse_tokenize(R"({"content":"a\u0000b"})");

  ASSERT_TRUE(call.ok());
  EXPECT_EQ(call->model, std::nullopt);
  EXPECT_EQ(call->prompt.text, std::string("a\0b", 3));
  EXPECT_FALSE(call->prompt.add_special);
  EXPECT_TRUE(call->prompt.parse_special);
  EXPECT_FALSE(call->with_pieces);
}

TEST(ParseText, ReadsTokenizeFields) {
  const auto call = parse_tokenize(
      R"({"model":"m","content":"","add_special":true,"parse_special":false,"with_pieces":true,"x":1})");

  ASSERT_TRUE(call.ok());
  EXPECT_EQ(call->model, "m");
  EXPECT_TRUE(call->prompt.add_special);
  EXPECT_FALSE(call->prompt.parse_special);
  EXPECT_TRUE(call->with_pieces);
  EXPECT_THAT(call->ignored_fields, ElementsAre("x"));
}

TEST(ParseText, ReadsDetokenizeFields) {
  const auto call = parse_detokenize(R"({"tokens":[1,2],"x":0})");

  ASSERT_TRUE(call.ok());
  EXPECT_THAT(call->tokens, ElementsAre(1, 2));
  EXPECT_THAT(call->ignored_fields, ElementsAre("x"));
  EXPECT_TRUE(parse_detokenize(R"({"tokens":[]})")->tokens.empty());
}

TEST(ParseText, ReadsApplyTemplateFields) {
  const auto call =
      parse_apply_template(R"({"messages":[{"role":"user","content":"hi"}],"add_generation_prompt":false})");

  ASSERT_TRUE(call.ok());
  EXPECT_THAT(call->prompt.messages, ElementsAre(text::ChatMessage{"user", "hi"}));
  EXPECT_FALSE(call->prompt.add_generation_prompt);
}

TEST(ParseText, RefusesWhatIsWrong) {
  EXPECT_EQ(parse_tokenize("{}").error().param, "content");
  EXPECT_EQ(parse_tokenize(R"({"content":["a"]})").error().param, "content");
  EXPECT_EQ(parse_tokenize("[").error().code, ErrorCode::kInvalidJson);
  EXPECT_EQ(parse_detokenize(R"({"tokens":"a"})").error().param, "tokens");
  EXPECT_EQ(parse_detokenize(R"({"tokens":[-1]})").error().param, "tokens");
  EXPECT_EQ(parse_detokenize("{}").error().code, ErrorCode::kMissingRequiredParameter);
  EXPECT_EQ(parse_detokenize("").error().code, ErrorCode::kInvalidJson);
  EXPECT_EQ(parse_apply_template(R"({"messages":[]})").error().param, "messages");
  EXPECT_EQ(parse_apply_template(R"({"messages":[{}]})").error().param, "messages[0].role");
  EXPECT_EQ(parse_apply_template("{}").error().param, "messages");
  EXPECT_EQ(parse_apply_template("nope").error().code, ErrorCode::kInvalidJson);
}

}  // namespace
}  // namespace llama_gpu::server
