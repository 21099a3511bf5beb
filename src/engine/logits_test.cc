// SPDX-License-Identifier: Apache-2.0
#include "engine/logits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

namespace llama_gpu::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> random_logits(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

TEST(Logits, TheLargestIsTheFirstOfEquals) {
  std::vector<float> logits = random_logits(101, 1);
  logits[37] = logits[90] = 50;

  EXPECT_EQ(find_largest(logits).token, 37);
  EXPECT_EQ(find_largest(logits).value, 50);
  EXPECT_EQ(find_largest(std::vector<float>{-3}).token, 0);
  EXPECT_EQ(find_largest(std::vector<float>{-kInfinity, -kInfinity}).value, -kInfinity);
}

TEST(Logits, FindsEachKindOfNumberThatIsNotFinite) {
  for (const float bad : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    for (const size_t place : {0, 15, 16, 32}) {
      std::vector<float> logits = random_logits(33, 2);
      EXPECT_TRUE(all_finite(logits));
      logits[place] = bad;
      EXPECT_FALSE(all_finite(logits)) << place;
    }
  }
}

TEST(Logits, TheExponentialIsWithinThreeUnitsOfTheLastPlace) {
  for (float x = 0; x > -87; x -= 0.00371F) {
    const double exact = std::exp(static_cast<double>(x));
    EXPECT_NEAR(exp_nonpositive(x), exact, 3 * 0x1p-24 * 2 * exact) << x;
  }
  EXPECT_EQ(exp_nonpositive(0), 1.0F);
  EXPECT_EQ(exp_nonpositive(-87.5F), 0.0F);
  EXPECT_EQ(exp_nonpositive(-kInfinity), 0.0F);
}

TEST(Logits, WeightsSumToTheSoftmaxDenominator) {
  const std::vector<float> logits = random_logits(1003, 3);
  const float largest = find_largest(logits).value;
  std::vector<float> weights(logits.size());
  double expected = 0;
  for (const float logit : logits) expected += std::exp(static_cast<double>(logit - largest) / 0.7);

  const double total = softmax_weights(logits, largest, 0.7F, weights);

  EXPECT_NEAR(total, expected, 1e-6 * expected);
  EXPECT_EQ(*std::ranges::max_element(weights), 1.0F);
}

TEST(Logits, LogSumExpAgreesWithDouble) {
  const std::vector<float> logits = random_logits(49152, 4);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));

  EXPECT_NEAR(log_sum_exp(logits, find_largest(logits).value), std::log(sum), 1e-6);
}

TEST(Logits, SelectsTheLargestInOrderForEachCount) {
  std::vector<float> values = random_logits(500, 5);
  for (size_t i = 0; i < values.size(); i += 3) values[i] = std::round(values[i]);  // many ties
  std::vector<TokenId> expected(values.size());
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<TokenId>(i);
  std::ranges::sort(expected, [&](TokenId a, TokenId b) {
    return std::pair(-values[static_cast<size_t>(a)], a) < std::pair(-values[static_cast<size_t>(b)], b);
  });

  for (const size_t count : {1, 2, 5, 40, 250, 499, 500, 501, 2000}) {
    std::vector<TokenId> tokens;
    select_largest(values, count, tokens);
    EXPECT_THAT(tokens, ElementsAreArray(std::span(expected).first(std::min(count, expected.size()))))
        << count;
  }
}

TEST(Logits, SelectsFromValuesThatAreAllMinusInfinity) {
  std::vector<TokenId> tokens;
  select_largest(std::vector<float>(9, -kInfinity), 2, tokens);
  EXPECT_THAT(tokens, ElementsAre(0, 1));
  select_largest(std::vector<float>(9, -kInfinity), 0, tokens);
  EXPECT_THAT(tokens, ElementsAre());
}

}  // namespace
}  // namespace llama_gpu::engine
