// SPDX-License-Identifier: Apache-2.0
#include "supervisor/log_tail.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace llama_gpu::supervisor {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST(LogTail, ReturnsALineOnceItIsWhole) {
  LogTail tail;
  EXPECT_THAT(tail.append("one\ntw"), ElementsAre("one"));
  EXPECT_THAT(tail.append("o"), IsEmpty());
  EXPECT_THAT(tail.append("\n\nthree\n"), ElementsAre("two", "", "three"));
  EXPECT_EQ(tail.text(), "one\ntwo\n\nthree\n");
}

TEST(LogTail, KeepsAnUnfinishedLastLine) {
  LogTail tail;
  tail.append("one\nassertion fai");
  EXPECT_EQ(tail.text(), "one\nassertion fai\n");
}

TEST(LogTail, KeepsTheLastFortyLines) {
  LogTail tail;
  for (int i = 0; i < 100; ++i) tail.append(std::to_string(i) + "\n");
  EXPECT_THAT(tail.text(), StartsWith("60\n61\n"));
  EXPECT_THAT(tail.text(), EndsWith("98\n99\n"));
}

TEST(LogTail, StaysSmallWhateverComes) {
  LogTail tail;
  const std::string flood(1 << 20, 'x');
  tail.append("first\n");

  EXPECT_THAT(tail.append(flood), IsEmpty());
  const std::vector<std::string> lines = tail.append(flood + "\nlast\n");
  for (int i = 0; i < 50; ++i) tail.append(std::string(300, 'y') + "\n");
  tail.append(std::string(1500, 'z'));

  ASSERT_EQ(lines.size(), 2U);
  EXPECT_LE(lines[0].size(), LogTail::kMaxLineBytes + 100);
  EXPECT_THAT(lines[0], EndsWith(" ..."));
  EXPECT_EQ(lines[1], "last");
  EXPECT_LE(tail.text().size(), LogTail::kMaxBytes);
  EXPECT_THAT(tail.text(), StartsWith("yyy"));
  EXPECT_THAT(tail.text(), EndsWith("zzz\n"));
}

TEST(LogTail, KeepsOneLineThatIsLongerThanItMayBeOnceEscaped) {
  LogTail tail;
  tail.append(std::string(LogTail::kMaxLineBytes, '\x01') + "\n");
  EXPECT_LE(tail.text().size(), LogTail::kMaxBytes);
}

TEST(LogTail, WritesControlCharactersAndBrokenTextVisibly) {
  LogTail tail;
  const auto lines = tail.append("red \x1b[31m \xff\r\n");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], Not(HasSubstr("\x1b")));
  EXPECT_THAT(lines[0], Not(HasSubstr("\xff")));
  EXPECT_THAT(lines[0], StartsWith("red "));
}

}  // namespace
}  // namespace llama_gpu::supervisor
