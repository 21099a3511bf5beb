// SPDX-License-Identifier: Apache-2.0
#include "text/utf8.h"

#include <gtest/gtest.h>

namespace llama_gpu::text {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, EveryCodePointReadsBackAsItself) {
  for (uint32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    if (code_point >= 0xD800 && code_point <= 0xDFFF) continue;
    const std::string text = encode_utf8(code_point);

    const Utf8Unit unit = first_utf8_unit(text + "x");

    ASSERT_EQ(unit.state, Utf8State::kValid) << code_point;
    ASSERT_EQ(unit.code_point, code_point);
    ASSERT_EQ(unit.size_bytes, text.size());
  }
}

TEST(Utf8, BrokenUnitsEndWhereNoCharacterCanGoOn) {
  const struct {
    std::string_view text;
    size_t size_bytes;
  } cases[] = {
      {"\x80", 1},              // a continuation byte alone
      {"\xC0\xAF", 1},          // overlong
      {"\xE0\x9F\xBF", 1},      // overlong
      {"\xF0\x8F\xBF\xBF", 1},  // overlong
      {"\xED\xA0\x80", 1},      // a surrogate
      {"\xF4\x90\x80\x80", 1},  // above U+10FFFF
      {"\xF5\x80\x80\x80", 1},  // above U+10FFFF
      {"\xE2\x82z", 2},         // cut off by a letter
      {"\xF0\x9F\x91z", 3},
      {"\xC3z", 1},
  };
  for (const auto& c : cases) {
    const Utf8Unit unit = first_utf8_unit(c.text);

    EXPECT_EQ(unit.state, Utf8State::kInvalid) << testing::PrintToString(c.text);
    EXPECT_EQ(unit.size_bytes, c.size_bytes) << testing::PrintToString(c.text);
  }
}

TEST(Utf8, ATextThatEndsInsideACharacterIsIncompleteNotBroken) {
  EXPECT_EQ(first_utf8_unit("\xF0\x9F\x91").state, Utf8State::kIncomplete);
  EXPECT_EQ(first_utf8_unit("\xF0\x9F\x91").size_bytes, 3u);
  EXPECT_EQ(first_utf8_unit("\xC3").state, Utf8State::kIncomplete);
}

TEST(Utf8, TheValidPrefixEndsAtTheFirstBrokenUnit) {
  EXPECT_EQ(valid_utf8_prefix(""), 0u);
  EXPECT_EQ(valid_utf8_prefix("a\u00E9"), 3u);
  EXPECT_EQ(valid_utf8_prefix("a\u00E9\xFFz"), 3u);
}

TEST(Utf8, EachBrokenUnitIsReplacedByOneReplacementCharacter) {
  EXPECT_EQ(replace_invalid_utf8("a\u20ACb"), "a\u20ACb");
  EXPECT_EQ(replace_invalid_utf8("a\xFF\xE2\x82z\xF0\x9F"), "a\uFFFD\uFFFDz\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\0\xC0\x80"sv), "\0\uFFFD\uFFFD"sv);
}

}  // namespace
}  // namespace llama_gpu::text
