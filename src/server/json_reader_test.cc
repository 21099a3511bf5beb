// SPDX-License-Identifier: Apache-2.0
#include "server/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/limits.gen.h"

namespace llama_gpu::server {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string repeated(std::string_view text, int64_t count) {
  std::string out;
  for (int64_t i = 0; i < count; ++i) out += text;
  return out;
}

void expect_refused(std::string_view text, std::string_view why) {
  const auto document = read_json(text);
  ASSERT_FALSE(document.ok()) << std::string(text.substr(0, 40));
  EXPECT_EQ(document.error().code, ErrorCode::kInvalidJson);
  EXPECT_THAT(document.error().message, HasSubstr(std::string(why)));
}

TEST(JsonReader, KeepsValuesAndTheOrderOfKeys) {
  const auto document = read_json(R"({"z":[1,-2,3.5,true,false,null],"a":{"b":"x\u0000y"}})");

  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document->dump(), "{\"z\":[1,-2,3.5,true,false,null],\"a\":{\"b\":\"x\\u0000y\"}}");
}

TEST(JsonReader, ReadsAScalarDocument) { EXPECT_EQ(read_json("7")->get<int>(), 7); }

TEST(JsonReader, RefusesWhatIsNotJson) {
  for (const std::string_view text :
       {"{", "{\"a\":}", "[1,]", "{} {}", "nul", "'a'", "[01]", "\"\\ud800\""}) {
    expect_refused(text, "not valid JSON");
  }
}

TEST(JsonReader, SaysOfAnEmptyBodyThatItIsEmpty) {
  for (const std::string_view text : {"", " \r\n\t"}) expect_refused(text, "the body is empty");
}

TEST(JsonReader, NamesThePlaceOfAnErrorAndWhatStandsThere) {
  const Error error = read_json("{\"é\":\n  \"é\", \"b\": x}").error();

  EXPECT_EQ(
      error.message,
      "the body cannot be read: it is not valid JSON in UTF-8, at line 2, column 13 (byte 21) stands 'x'");
  EXPECT_EQ(error.hint, "invalid literal");
  EXPECT_EQ(error.byte_offset, 21);
}

TEST(JsonReader, SaysWhatWasExpectedWithoutRepeatingTheText) {
  const Error cut = read_json(R"({"secret)").error();
  EXPECT_THAT(cut.message, HasSubstr("(byte 9) stands its end"));
  EXPECT_THAT(cut.hint, AllOf(HasSubstr("missing closing quote"), Not(HasSubstr("secret"))));
  EXPECT_THAT(read_json("{\"a\":}").error().hint, HasSubstr("unexpected '}'; expected"));
  EXPECT_THAT(read_json("{secret: 1}").error().hint, AllOf(HasSubstr("expected"), Not(HasSubstr("secret"))));
  expect_refused("[\"\xFF\"]", "(byte 3) stands the byte 0xff");
  expect_refused("[\"\n\"]", "(byte 3) stands '\\n'");
}

TEST(JsonReader, RefusesWhatIsNotUtf8) {
  for (const std::string_view text : {"\"\xFF\"", "\"\xC3\"", "\"\xED\xA0\x80\"", "\xFF\xFE{\0}\0"}) {
    expect_refused(text, "UTF-8");
  }
  expect_refused("\xEF\xBB\xBF{}", "byte order mark");
}

TEST(JsonReader, RefusesNumbersBeyondDouble) { expect_refused("[1e309]", "out of range"); }

TEST(JsonReader, RefusesAKeyThatStandsTwice) {
  expect_refused(R"({"a":1,"b":{"a":2},"a":3})", "the key 'a' stands twice");
  expect_refused("{\"" + repeated("k", 65) + "\":1,\"" + repeated("k", 65) + "\":2}", "'...' stands twice");
}

TEST(JsonReader, TakesTheDeepestNestingAndRefusesOneMore) {
  const int64_t depth = limits::kJsonDepth.max;

  EXPECT_TRUE(read_json(repeated("[", depth) + repeated("]", depth)).ok());
  expect_refused(repeated("[", depth + 1) + repeated("]", depth + 1), "deeper than 64");
  expect_refused(repeated("{\"a\":", depth + 1) + "1" + repeated("}", depth + 1), "deeper than 64");
  expect_refused(repeated("[", 10'000), "deeper than 64");
}

TEST(JsonReader, BoundsTheKeysOfAnObject) {
  std::string text = "{";
  for (int64_t i = 0; i < limits::kJsonKeys.max; ++i) text += "\"" + std::to_string(i) + "\":0,";

  EXPECT_TRUE(read_json(text.substr(0, text.size() - 1) + "}").ok());
  expect_refused(text + "\"x\":0}", "more than 4096 keys");
}

TEST(JsonReader, BoundsTheValuesOfADocument) {
  const std::string zeros = repeated("0,", limits::kJsonValues.max - 2);

  EXPECT_TRUE(read_json("[" + zeros + "0]").ok());
  expect_refused("[" + zeros + "0,0]", "more than 1000000 values");
}

}  // namespace
}  // namespace llama_gpu::server
