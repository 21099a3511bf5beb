// SPDX-License-Identifier: Apache-2.0
#include "base/checked_math.h"

#include <gtest/gtest.h>

#include <limits>

namespace llama_gpu {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

static_assert(checked_add<uint64_t>(2, 3) == 5U);
static_assert(!checked_add<uint64_t>(kMax, 1));

TEST(CheckedMath, GivesNothingWhereTheResultDoesNotFit) {
  EXPECT_EQ(checked_add<int32_t>(2'000'000'000, 200'000'000), std::nullopt);
  EXPECT_EQ(checked_add<int32_t>(-2, 1), -1);
  EXPECT_EQ(checked_mul<uint64_t>(uint64_t{1} << 32, uint64_t{1} << 32), std::nullopt);
  EXPECT_EQ(checked_mul<int64_t>(-3, 5), -15);
}

TEST(CheckedMath, AlignsUpToTheNextMultiple) {
  EXPECT_EQ(checked_align_up(0, 32), 0U);
  EXPECT_EQ(checked_align_up(32, 32), 32U);
  EXPECT_EQ(checked_align_up(33, 32), 64U);
  EXPECT_EQ(checked_align_up(10, 3), 12U);
  EXPECT_EQ(checked_align_up(kMax, 32), std::nullopt);
}

TEST(CheckedMath, DividesRoundingUp) {
  EXPECT_EQ(ceil_div(0, 4), 0);
  EXPECT_EQ(ceil_div(8, 4), 2);
  EXPECT_EQ(ceil_div(9, 4), 3);
  EXPECT_EQ(ceil_div(kMax, uint64_t{2}), uint64_t{1} << 63);
}

}  // namespace
}  // namespace llama_gpu
