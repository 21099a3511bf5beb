// SPDX-License-Identifier: Apache-2.0
#include "base/failpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/log.h"

namespace llama_gpu {
namespace {

TEST(Failpoint, DoesNothingUnlessItIsSet) {
  EXPECT_TRUE(failpoint("test.place").ok());

  const ScopedFailpoints other("test.other=error");

  EXPECT_TRUE(failpoint("test.place").ok());
}

TEST(Failpoint, FailsEachCallWithTheCodeThatWasAskedFor) {
  const ScopedFailpoints set("test.a=error;test.b=error:disk_full");

  EXPECT_EQ(failpoint("test.a").error().code, ErrorCode::kInternal);
  EXPECT_EQ(failpoint("test.a").error().message, "failpoint 'test.a'");
  EXPECT_EQ(failpoint("test.b").error().code, ErrorCode::kDiskFull);
}

TEST(Failpoint, FailsOnlyTheNthCall) {
  const ScopedFailpoints set("test.a=error@3");

  EXPECT_TRUE(failpoint("test.a").ok());
  EXPECT_TRUE(failpoint("test.a").ok());
  EXPECT_FALSE(failpoint("test.a").ok());
  EXPECT_TRUE(failpoint("test.a").ok());
}

TEST(Failpoint, SaysThatItSleepsAndGoesOn) {
  const ScopedFailpoints set("test.a=sleep:1");
  std::string logged;
  configure_logging({.sink = [&](std::string_view line) { logged = line; }});

  EXPECT_TRUE(failpoint("test.a").ok());

  configure_logging({});
  EXPECT_THAT(logged, testing::HasSubstr("a failpoint sleeps name=test.a milliseconds=1"));
}

TEST(FailpointDeathTest, EndsTheProcess) {
  EXPECT_DEATH(
      {
        const ScopedFailpoints set("test.a=abort");
        (void)failpoint("test.a");
      },
      "");
}

TEST(Failpoint, IsClearedAtTheEndOfItsScope) {
  {
    const ScopedFailpoints set("test.a=error");
  }

  EXPECT_TRUE(failpoint("test.a").ok());
}

TEST(Failpoint, RefusesASpecThatCannotBeReadAndKeepsTheOldOnes) {
  const ScopedFailpoints set("test.a=error");

  for (const char* bad : {"x", "=error", "x=", "x=explode", "x=error:no_such_code", "x=sleep", "x=sleep:-1",
                          "x=sleep:99999999", "x=error@0", "x=error@", "x=error@two"}) {
    const Status status = set_failpoints(bad);
    ASSERT_FALSE(status.ok()) << bad;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidValue);
    EXPECT_NE(status.error().message.find(bad), std::string::npos);
  }

  EXPECT_FALSE(failpoint("test.a").ok());
}

}  // namespace
}  // namespace llama_gpu
