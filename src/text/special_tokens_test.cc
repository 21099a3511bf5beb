// SPDX-License-Identifier: Apache-2.0
#include "text/special_tokens.h"

#include <gtest/gtest.h>

namespace llama_gpu::text {
namespace {

SpecialTokens tokens() {
  return SpecialTokens(
      {{"<b>", 1, false}, {"<bold>", 2, false}, {"<bol", 3, false}, {"tool", 4, true}, {"o", 5, true}});
}

TEST(SpecialTokens, TheLongestAtTheLeftmostPlaceIsFound) {
  const ByteRange all[] = {{0, 100}};

  const auto match = tokens().find("x<bold>tool", 0, all);

  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->id, 2);
  EXPECT_EQ(match->place, (ByteRange{1, 7}));
  EXPECT_EQ(tokens().find("x<bold", 0, all)->id, 3);
  EXPECT_EQ(tokens().find("<<<b>", 0, all)->place, (ByteRange{2, 5}));
}

TEST(SpecialTokens, SearchGoesOnFromAPlace) {
  const ByteRange all[] = {{0, 100}};

  EXPECT_EQ(tokens().find("<b><b>", 1, all)->place, (ByteRange{3, 6}));
  EXPECT_FALSE(tokens().find("<b>", 1, all).has_value());
}

TEST(SpecialTokens, TokensThatAreNotFoundAnywhereLieInsideAnAllowedRange) {
  const ByteRange inside[] = {{0, 2}, {3, 6}};
  const ByteRange cut[] = {{0, 5}};

  EXPECT_EQ(tokens().find("<b><b>", 0, inside)->place, (ByteRange{3, 6}));
  EXPECT_FALSE(tokens().find("xxx<b>", 0, cut).has_value());
  EXPECT_FALSE(tokens().find("<b>", 0, {}).has_value());
}

TEST(SpecialTokens, UserDefinedTokensAreFoundAnywhere) {
  EXPECT_EQ(tokens().find("a tool", 0, {})->id, 4);
  EXPECT_EQ(tokens().find("<bold>", 0, {})->id, 5);
}

TEST(SpecialTokens, AShorterAllowedTokenWinsWhereTheLongerOneLeavesTheRange) {
  const ByteRange range[] = {{0, 4}};

  EXPECT_EQ(tokens().find("<bold>", 0, range)->id, 3);
}

TEST(SpecialTokens, NoneAreFoundAmongNone) { EXPECT_FALSE(SpecialTokens({}).find("x", 0, {}).has_value()); }

}  // namespace
}  // namespace llama_gpu::text
