// SPDX-License-Identifier: Apache-2.0
#include "plugins/circuit_breaker.h"

#include <gtest/gtest.h>

namespace llama_gpu::plugins {
namespace {

using namespace std::chrono_literals;

constexpr SteadyTime kStart{1h};

CircuitBreaker opened() {
  CircuitBreaker breaker;
  for (int i = 0; i < CircuitBreaker::kFailuresInARow; ++i) breaker.on_failure(kStart);
  return breaker;
}

TEST(CircuitBreaker, OpensAfterFailuresInARow) {
  CircuitBreaker breaker;
  for (int i = 1; i < CircuitBreaker::kFailuresInARow; ++i) EXPECT_FALSE(breaker.on_failure(kStart));
  EXPECT_TRUE(breaker.allows(kStart));
  EXPECT_TRUE(breaker.on_failure(kStart));
  EXPECT_TRUE(breaker.is_open());
  EXPECT_FALSE(breaker.allows(kStart + CircuitBreaker::kOpenTime - 1ms));
}

TEST(CircuitBreaker, ForgetsFailuresAfterASuccess) {
  CircuitBreaker breaker;
  for (int i = 0; i < 20; ++i) {
    if (i % 3 == 2) breaker.on_success();
    EXPECT_FALSE(breaker.on_failure(kStart));
  }
}

TEST(CircuitBreaker, LetsOneCallTryAndClosesWhereItSucceeds) {
  CircuitBreaker breaker = opened();
  const SteadyTime later = kStart + CircuitBreaker::kOpenTime;
  EXPECT_TRUE(breaker.allows(later));
  EXPECT_FALSE(breaker.allows(later));
  breaker.on_success();
  EXPECT_FALSE(breaker.is_open());
  EXPECT_TRUE(breaker.allows(later));
}

TEST(CircuitBreaker, StaysOpenWhereTheTrialFails) {
  CircuitBreaker breaker = opened();
  const SteadyTime later = kStart + CircuitBreaker::kOpenTime;
  EXPECT_TRUE(breaker.allows(later));
  EXPECT_FALSE(breaker.on_failure(later));
  EXPECT_FALSE(breaker.allows(later + CircuitBreaker::kOpenTime - 1ms));
  EXPECT_TRUE(breaker.allows(later + CircuitBreaker::kOpenTime));
}

TEST(CircuitBreaker, CountsNoCallThatWasUnderWayWhenItOpened) {
  CircuitBreaker breaker = opened();
  EXPECT_FALSE(breaker.on_failure(kStart + 9s));
  EXPECT_TRUE(breaker.allows(kStart + CircuitBreaker::kOpenTime));
}

TEST(CircuitBreaker, TriesAgainAfterACallThatSaidNothing) {
  CircuitBreaker breaker = opened();
  const SteadyTime later = kStart + CircuitBreaker::kOpenTime;
  EXPECT_TRUE(breaker.allows(later));
  breaker.on_neither();
  EXPECT_TRUE(breaker.allows(later));
}

}  // namespace
}  // namespace llama_gpu::plugins
