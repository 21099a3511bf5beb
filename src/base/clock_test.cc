// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

#include "base/clock_fake.h"

namespace llama_gpu {
namespace {

using std::chrono::milliseconds;

TEST(FakeClock, StandsStillUntilItIsMoved) {
  FakeClock clock(1'000'000);
  const SteadyTime start = clock.now();

  EXPECT_EQ(clock.now(), start);
  clock.advance(milliseconds(1500));

  EXPECT_EQ(clock.now() - start, milliseconds(1500));
  EXPECT_EQ(clock.unix_milliseconds(), 1'001'500);
  EXPECT_EQ(clock.unix_seconds(), 1001);
}

TEST(SystemClock, NeverGoesBackAndIsAfterThisProgramWasWritten) {
  const SteadyTime before = system_clock().now();

  EXPECT_GE(system_clock().now(), before);
  EXPECT_GT(system_clock().unix_seconds(), 1'700'000'000);
}

}  // namespace
}  // namespace llama_gpu
