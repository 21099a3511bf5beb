// SPDX-License-Identifier: Apache-2.0
#include "app/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "app/console_fake.h"

namespace llama_gpu::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Console, ReportsAnErrorInOneLineWithItsExitCode) {
  ConsoleFake fake;

  const int exit_code = report(fake.console, Error{ErrorCode::kDiskFull, "no room in 'a\nb'", "make some"});

  EXPECT_EQ(exit_code, 74);
  EXPECT_EQ(fake.err.str(), "llama-gpu: no room in 'a\\nb' (make some)\n");
  EXPECT_EQ(fake.out.str(), "");
}

TEST(Console, ColoursOnlyWhereItMay) {
  ConsoleFake fake;
  fake.console.use_colour = true;

  report(fake.console, Error{ErrorCode::kInternal, "x"});

  EXPECT_THAT(fake.err.str(), HasSubstr("\x1b[31mllama-gpu: \x1b[0mx"));
  EXPECT_FALSE(Console::of_process("1", "xterm").use_colour);
  EXPECT_FALSE(Console::of_process("", "dumb").use_colour);
}

TEST(ProgressBar, WritesALineForEachTenthWhereThereIsNoTerminal) {
  ConsoleFake fake;
  {
    ProgressBar bar(fake.console, "m.gguf", 100'000'000);
    for (int i = 0; i <= 1000; ++i) bar.update(uint64_t(i) * 100'000, i * 0.01);
  }

  const std::string text = fake.err.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11);
  EXPECT_THAT(text, HasSubstr("m.gguf:  50 %  50.0 MB of 100.0 MB  10.0 MB/s  5.0 s left\n"));
  EXPECT_THAT(text, HasSubstr("m.gguf: 100 %  100.0 MB of 100.0 MB  10.0 MB/s\n"));
}

TEST(ProgressBar, DrawsOverItselfOnATerminal) {
  ConsoleFake fake;
  fake.console.err_is_terminal = true;
  {
    ProgressBar bar(fake.console, "m", 1000);
    bar.update(0, 0);
    bar.update(1, 0.01);  // too soon to be drawn
    bar.update(500, 1);
    bar.update(1000, 1);
  }

  EXPECT_THAT(fake.err.str(), HasSubstr("\r\x1b[Km ["));
  EXPECT_THAT(fake.err.str(), HasSubstr("100 %  1.0 kB of 1.0 kB"));
  EXPECT_THAT(fake.err.str(), Not(HasSubstr(" 1 B of")));
  EXPECT_TRUE(fake.err.str().ends_with("\n"));
}

TEST(ProgressBar, KnowsNoShareOfAnUnknownWhole) {
  ConsoleFake fake;
  fake.console.err_is_terminal = true;
  {
    ProgressBar bar(fake.console, "m", 0);
    bar.update(0, 0);
    bar.update(2'000'000, 2);
  }

  EXPECT_THAT(fake.err.str(), HasSubstr("m 2.0 MB  1.0 MB/s"));
  EXPECT_THAT(fake.err.str(), Not(HasSubstr("%")));
}

}  // namespace
}  // namespace llama_gpu::app
