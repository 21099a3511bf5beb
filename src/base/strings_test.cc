// SPDX-License-Identifier: Apache-2.0
#include "base/strings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace llama_gpu {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using namespace std::string_literals;

TEST(Utf8, AcceptsWhatUnicodeCallsWellFormed) {
  for (const char* text : {"", "plain", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                           "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_valid_utf8(text)) << text;
    EXPECT_EQ(repair_utf8(text), text);
  }
  EXPECT_TRUE(is_valid_utf8("a\0b"s));
}

TEST(Utf8, RefusesOverlongFormsSurrogatesAndValuesBeyondTheLast) {
  for (const char* text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xC3("}) {
    EXPECT_FALSE(is_valid_utf8(text)) << text;
  }
}

TEST(Utf8, RepairsEachBrokenCharacterWithOneReplacement) {
  EXPECT_EQ(repair_utf8("a\xE2\x82z"), "a\uFFFDz");
  EXPECT_EQ(repair_utf8("\xF0\x9F\x98"), "\uFFFD");
  EXPECT_EQ(repair_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(repair_utf8("\xC0\x80"), "\uFFFD\uFFFD");
}

TEST(Utf8, TellsAnUnfinishedCharacterFromABrokenOne) {
  EXPECT_TRUE(first_utf8_char("\xE2\x82").is_incomplete);
  EXPECT_FALSE(first_utf8_char("\xE2(").is_incomplete);
  EXPECT_EQ(first_utf8_char("\xE2\x82\xAC!").code_point, U'€');
  EXPECT_EQ(first_utf8_char("").size_bytes, 0U);
}

TEST(Utf8, WritesWhatItReads) {
  for (char32_t c : {U'a', U'é', U'€', U'😀', char32_t{0x10FFFF}}) {
    std::string text;
    append_utf8(text, c);
    const Utf8Char read = first_utf8_char(text);
    EXPECT_EQ(read.code_point, c);
    EXPECT_EQ(read.size_bytes, text.size());
  }
}

TEST(Utf8DeathTest, WritesNoSurrogate) {
  std::string text;
  EXPECT_DEATH(append_utf8(text, 0xD800), "not a Unicode scalar value");
}

TEST(Utf8, CutsBetweenCharacters) {
  EXPECT_EQ(utf8_prefix("a€b", 9), "a€b");
  EXPECT_EQ(utf8_prefix("a€b", 4), "a€");
  EXPECT_EQ(utf8_prefix("a€b", 3), "a");
  EXPECT_EQ(utf8_prefix("€", 2), "");
  EXPECT_EQ(utf8_prefix("\x80\x80\x80\x80\x80\x80", 5).size(), 2U);  // broken anyway: cut somewhere near
}

TEST(EscapeLine, KeepsTextOnOneLineWithoutControl) {
  EXPECT_EQ(escape_line("plain é 😀"), "plain é 😀");
  EXPECT_EQ(escape_line("a\nb\r\tc\\"), "a\\nb\\r\\tc\\\\");
  EXPECT_EQ(escape_line("\x1b[31mred"), "\\x1b[31mred");
  EXPECT_EQ(escape_line("\0"s), "\\x00");
  EXPECT_EQ(escape_line("\xFF!"), "\\xff!");
  EXPECT_EQ(escape_line("\u202Eevil\u2028"), "\\u{202e}evil\\u{2028}");
  EXPECT_EQ(escape_line("\u009b"), "\\u{009b}");
}

TEST(EscapeLine, CutsWhatIsTooLongAndSaysByHowMuch) {
  EXPECT_EQ(escape_line("abcdef", 4), "abcd...(+2 bytes)");
}

TEST(JsonString, EscapesWhatJsonAndTerminalsNeed) {
  EXPECT_EQ(json_string("a \"b\" \\ é"), R"("a \"b\" \\ é")");
  EXPECT_EQ(json_string("\x1b\n\u202E"), R"("\u001b\u000a\u202e")");
  EXPECT_EQ(json_string("\xFF"), "\"\uFFFD\"");
}

TEST(NearestName, FindsASlipButNotAnotherWord) {
  constexpr std::array<std::string_view, 4> kKnown = {"port", "host", "parallel", "max_body_bytes"};

  EXPECT_EQ(nearest_name("prot", kKnown), "port");
  EXPECT_EQ(nearest_name("PORT", kKnown), "port");
  EXPECT_EQ(nearest_name("max_body_byte", kKnown), "max_body_bytes");
  EXPECT_EQ(nearest_name("colour", kKnown), std::nullopt);
  EXPECT_EQ(nearest_name("", kKnown), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(100'000, 'p'), kKnown), std::nullopt);
  EXPECT_EQ(did_you_mean("prot", kKnown), "; did you mean 'port'?");
  EXPECT_EQ(did_you_mean("zebra-crossing", kKnown), "");
}

TEST(Strings, SplitsAndJoins) {
  EXPECT_THAT(split("a;;b", ';'), ElementsAre("a", "", "b"));
  EXPECT_THAT(split("", ';'), ElementsAre(""));
  EXPECT_THAT(split_once("key=a=b", '='), Pair("key", "a=b"));
  EXPECT_THAT(split_once("key", '='), Pair("key", ""));
  EXPECT_EQ(trim(" \t x y\r\n"), "x y");
  EXPECT_EQ(trim("  "), "");
  EXPECT_EQ(to_lower("LLaMA-É"), "llama-É");
  EXPECT_EQ(join(std::array<std::string_view, 3>{"a", "b", "c"}, ", "), "a, b, c");
}

TEST(Strings, ReadsWholeNumbersOnly) {
  EXPECT_EQ(parse_integer("-12"), -12);
  EXPECT_EQ(parse_integer("9223372036854775807"), 9223372036854775807);
  for (const char* bad : {"", " 1", "1 ", "1.5", "0x10", "9223372036854775808", "+1"}) {
    EXPECT_EQ(parse_integer(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_number("-0.5e1"), -5.0);
  for (const char* bad : {"", "nan", "inf", "1e999", "1,5"})
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
}

TEST(Strings, ReadsSizes) {
  EXPECT_EQ(parse_size("512"), 512);
  EXPECT_EQ(parse_size("8MiB"), 8 << 20);
  EXPECT_EQ(parse_size("8 MB"), 8'000'000);
  EXPECT_EQ(parse_size("2k"), 2000);
  EXPECT_EQ(parse_size("1TiB"), int64_t{1} << 40);
  EXPECT_EQ(parse_size("64 B"), 64);
  for (const char* bad : {"", "MiB", "-1", "8Q", "8MiBs", "8.5MB", "9223372036854775807k"}) {
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
  }
}

TEST(Strings, WritesNumbersForPeople) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(999), "999 B");
  EXPECT_EQ(format_size(98'362'432), "98.4 MB");
  EXPECT_EQ(format_size(999'999), "1.0 MB");
  EXPECT_EQ(format_size(~uint64_t{0}), "18.4 EB");
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1'234'567), "1,234,567");
  EXPECT_EQ(format_seconds(-1), "0.0 s");
  EXPECT_EQ(format_seconds(0.84), "0.8 s");
  EXPECT_EQ(format_seconds(41.6), "42 s");
  EXPECT_EQ(format_seconds(185), "3m 05s");
  EXPECT_EQ(format_seconds(7620), "2h 07m");
}

TEST(Strings, WritesTimeInUtc) {
  EXPECT_EQ(format_utc(1'700'000'000'123), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(format_utc(-1), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace llama_gpu
