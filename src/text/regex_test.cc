// SPDX-License-Identifier: Apache-2.0
#include "text/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace llama_gpu::text {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> pieces_of(const std::string& pattern, std::string_view text,
                                   RegexOptions options = {}) {
  const auto regex = Regex::compile(pattern, options);
  std::vector<std::string> pieces;
  regex->for_each_piece(text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

TEST(Regex, PiecesAreTheMatchesAndWhatStandsBetween) {
  EXPECT_THAT(pieces_of("b+", "abbcbd"), ElementsAre("a", "bb", "c", "b", "d"));
  EXPECT_THAT(pieces_of("b+", "bb"), ElementsAre("bb"));
  EXPECT_THAT(pieces_of("b+", "xyz"), ElementsAre("xyz"));
  EXPECT_THAT(pieces_of("b+", ""), ElementsAre());
}

TEST(Regex, ReadsCharactersNotBytes) {
  EXPECT_THAT(pieces_of("[\\x{E0}-\\x{FF}]", "a\u00E9\u00EAz"), ElementsAre("a", "\u00E9", "\u00EA", "z"));
}

TEST(Regex, InterpretedMatchingGivesTheSamePieces) {
  EXPECT_THAT(pieces_of(R"(\s+(?!\S)|\s+|\w+)", "ab   cd ", {.use_jit = false}),
              ElementsAre("ab", "  ", " ", "cd", " "));
}

TEST(Regex, TheRestIsOnePieceWhereAMatchPassesTheLimit) {
  const std::string text = "x " + std::string(2000, 'a') + "c";

  for (const bool use_jit : {true, false}) {
    const auto pieces = pieces_of("x|(a+)+b", text, {.use_jit = use_jit, .match_limit = 1000});

    EXPECT_THAT(pieces, ElementsAre("x", text.substr(1)));
  }
}

TEST(Regex, MatchesByInterpreterWhereTheMachineStackIsTooSmall) {
  const std::string text(20000, 'a');

  EXPECT_THAT(pieces_of("(?:(a)(?=a|b)|a)+", text), ElementsAre(text));
}

TEST(Regex, RefusesPatternsThatAreWrongOrMatchNothing) {
  const auto wrong = Regex::compile("a(");
  const auto empty = Regex::compile("a*");

  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().message, HasSubstr("'a(' is wrong at byte 2"));
  ASSERT_FALSE(empty.ok());
  EXPECT_THAT(empty.error().message, HasSubstr("can match the empty text"));
}

}  // namespace
}  // namespace llama_gpu::text
