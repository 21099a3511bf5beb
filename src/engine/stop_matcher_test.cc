// SPDX-License-Identifier: Apache-2.0
#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

namespace llama_gpu::engine {
namespace {

TEST(StopMatcher, WithoutStopStringsAllTextPassesAtOnce) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.append("hello"), "hello");
  EXPECT_EQ(matcher.finish(), "");
  EXPECT_FALSE(matcher.stopped());
}

TEST(StopMatcher, HoldsBackWhatMayBecomeAStopString) {
  StopMatcher matcher({"STOP"});
  EXPECT_EQ(matcher.append("say ST"), "say ");
  EXPECT_EQ(matcher.append("EP"), "STEP");
  EXPECT_EQ(matcher.append(" S"), " ");
  EXPECT_EQ(matcher.finish(), "S");
}

TEST(StopMatcher, EndsBeforeAStopStringAcrossPieces) {
  StopMatcher matcher({"\n\n"});
  EXPECT_EQ(matcher.append("one\n"), "one");
  EXPECT_EQ(matcher.append("\ntwo"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, TheLongestOfStopStringsThatEndTogetherWins) {
  StopMatcher matcher({"b", "ab"});
  EXPECT_EQ(matcher.append("xab"), "x");
  EXPECT_TRUE(matcher.stopped());
}

TEST(StopMatcher, FindsAStopStringThatOverlapsItsOwnBeginning) {
  StopMatcher matcher({"aab"});
  EXPECT_EQ(matcher.append("aa"), "");
  EXPECT_EQ(matcher.append("a"), "a");
  EXPECT_EQ(matcher.append("b!"), "");
  EXPECT_TRUE(matcher.stopped());
}

TEST(StopMatcher, HoldsWholeCharacters) {
  StopMatcher matcher({"é!"});
  EXPECT_EQ(matcher.append("café"), "caf");
  EXPECT_EQ(matcher.append("s"), "és");
}

TEST(StopMatcher, AgreesWithASearchOfTheWholeTextHoweverItIsCut) {
  std::mt19937 random(3);
  const auto random_text = [&](size_t length) {
    std::string text;
    while (text.size() < length) text.push_back("abc"[random() % 3]);
    return text;
  };
  for (int round = 0; round < 2000; ++round) {
    const std::vector<std::string> stops = {random_text(1 + random() % 5), random_text(2 + random() % 4)};
    const std::string text = random_text(random() % 40);
    size_t end = std::string::npos;  // of the first stop string to be complete
    size_t begin = text.size();
    for (const std::string& stop : stops) {
      const size_t found = text.find(stop);
      if (found == std::string::npos) continue;
      if (found + stop.size() < end || (found + stop.size() == end && found < begin)) {
        end = found + stop.size();
        begin = found;
      }
    }

    StopMatcher matcher(stops);
    std::string shown;
    for (size_t i = 0; i < text.size() && !matcher.stopped();) {
      const size_t length = 1 + random() % 4;
      shown += matcher.append(std::string_view(text).substr(i, length));
      i += length;
    }
    shown += matcher.finish();

    ASSERT_EQ(shown, text.substr(0, begin)) << text << " " << stops[0] << " " << stops[1];
    ASSERT_EQ(matcher.stopped(), end != std::string::npos);
  }
}

}  // namespace
}  // namespace llama_gpu::engine
