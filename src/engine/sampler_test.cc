// SPDX-License-Identifier: Apache-2.0
#include "engine/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>

namespace llama_gpu::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Draws at many positions and counts how often each token came.
std::map<TokenId, int> draw_many(const std::vector<float>& logits, const SamplingParams& params,
                                 int draws = 4000) {
  Sampler sampler(static_cast<int32_t>(logits.size()));
  std::map<TokenId, int> counts;
  std::vector<TokenId> tokens;
  for (int i = 0; i < draws; ++i) {
    const auto token = sampler.choose(
        logits, {.params = params, .seed = 11, .tokens = tokens, .num_prompt_tokens = tokens.size()});
    ++counts[token.value()];
    tokens.push_back(0);
  }
  return counts;
}

std::set<TokenId> drawn(const std::vector<float>& logits, const SamplingParams& params) {
  std::set<TokenId> tokens;
  for (const auto& [token, count] : draw_many(logits, params)) tokens.insert(token);
  return tokens;
}

TokenId choose(const std::vector<float>& logits, const SamplingParams& params,
               const std::vector<TokenId>& tokens = {}, size_t num_prompt_tokens = 0) {
  Sampler sampler(static_cast<int32_t>(logits.size()));
  return sampler.choose(logits, {.params = params, .tokens = tokens, .num_prompt_tokens = num_prompt_tokens})
      .value();
}

TEST(Sampler, TemperatureZeroTakesTheFirstOfTheLargest) {
  EXPECT_EQ(choose({1, 5, 2, 5}, {.temperature = 0}), 1);
}

TEST(Sampler, DrawsInProportionToTheSoftmax) {
  const std::vector<float> logits = {std::log(0.5F), std::log(0.3F), std::log(0.2F)};

  const auto counts = draw_many(logits, {}, 20000);

  // Within four standard deviations of a binomial draw.
  EXPECT_NEAR(counts.at(0), 10000, 4 * std::sqrt(20000 * 0.25));
  EXPECT_NEAR(counts.at(1), 6000, 4 * std::sqrt(20000 * 0.21));
  EXPECT_NEAR(counts.at(2), 4000, 4 * std::sqrt(20000 * 0.16));
}

TEST(Sampler, ATinyTemperatureIsAlmostGreedy) {
  EXPECT_THAT(drawn({1, 2, 1.9F}, {.temperature = 1e-30F}), ::testing::ElementsAre(1));
}

TEST(Sampler, TopKKeepsTheMostLikely) {
  EXPECT_THAT(drawn({1, 3, 2, 0}, {.top_k = 2}), ::testing::ElementsAre(1, 2));
  EXPECT_THAT(drawn({1, 3, 2, 0}, {.top_k = 1}), ::testing::ElementsAre(1));
  EXPECT_EQ(drawn({1, 1, 1, 1}, {.top_k = -1}).size(), 4U);
}

TEST(Sampler, TopPKeepsTheFewestTokensThatReachTheShare) {
  const std::vector<float> logits = {std::log(0.15F), std::log(0.5F), std::log(0.3F), std::log(0.05F)};

  EXPECT_THAT(drawn(logits, {.top_p = 0.0F}), ::testing::ElementsAre(1));
  EXPECT_THAT(drawn(logits, {.top_p = 0.79F}), ::testing::ElementsAre(1, 2));
  EXPECT_THAT(drawn(logits, {.top_p = 0.81F}), ::testing::ElementsAre(0, 1, 2));
  EXPECT_THAT(drawn(logits, {.top_k = 2, .top_p = 0.6F}), ::testing::ElementsAre(1));
}

TEST(Sampler, MinPKeepsTokensNearTheMostLikely) {
  const std::vector<float> logits = {std::log(0.15F), std::log(0.5F), std::log(0.3F), std::log(0.05F)};

  EXPECT_THAT(drawn(logits, {.min_p = 0.5F}), ::testing::ElementsAre(1, 2));
  EXPECT_THAT(drawn(logits, {.min_p = 1.0F}), ::testing::ElementsAre(1));
  EXPECT_THAT(drawn(logits, {.top_k = 3, .min_p = 0.5F}), ::testing::ElementsAre(1, 2));
}

TEST(Sampler, LogitBiasIsAdded) {
  EXPECT_EQ(choose({1, 5, 2}, {.temperature = 0, .logit_bias = {{1, -100.0F}}}), 2);
  EXPECT_EQ(choose({1, 5, 2}, {.temperature = 0, .logit_bias = {{0, 4.5F}}}), 0);
}

TEST(Sampler, BiasOfOneRequestDoesNotReachTheNext) {
  Sampler sampler(3);
  const std::vector<float> logits = {1, 5, 2};
  const SamplingParams biased = {.temperature = 0, .logit_bias = {{1, -100.0F}}};
  const SamplingParams plain = {.temperature = 0};

  EXPECT_EQ(sampler.choose(logits, {.params = biased}).value(), 2);
  EXPECT_EQ(sampler.choose(logits, {.params = plain}).value(), 1);
}

TEST(Sampler, PresenceAndFrequencyPenaltiesSeeTheAnswerOnly) {
  const std::vector<float> logits = {4, 5, 0};

  EXPECT_EQ(choose(logits, {.temperature = 0, .presence_penalty = 1.5F}, {1, 0}, 2), 1);
  EXPECT_EQ(choose(logits, {.temperature = 0, .presence_penalty = 1.5F}, {0, 1}, 1), 0);
  EXPECT_EQ(choose(logits, {.temperature = 0, .frequency_penalty = 0.6F}, {1}, 0), 1);
  EXPECT_EQ(choose(logits, {.temperature = 0, .frequency_penalty = 0.6F}, {1, 1}, 0), 0);
}

TEST(Sampler, RepetitionPenaltySeesThePromptTooAndCountsATokenOnce) {
  const std::vector<float> logits = {4, 5, -1};

  EXPECT_EQ(choose(logits, {.temperature = 0, .repetition_penalty = 1.3F}, {1}, 1), 0);
  EXPECT_EQ(choose(logits, {.temperature = 0, .repetition_penalty = 1.2F}, {1, 1, 1}, 1), 1);
  EXPECT_EQ(choose({-1, -1.1F}, {.temperature = 0, .repetition_penalty = 1.3F}, {0}, 0), 1);
}

TEST(Sampler, TheSameSeedAndPositionGiveTheSameToken) {
  const std::vector<float> logits(100, 0.0F);
  const SamplingParams params;
  Sampler first(100);
  Sampler second(100);
  const std::vector<TokenId> tokens(7, 3);

  for (uint64_t seed = 0; seed < 50; ++seed) {
    const SamplingInput input = {.params = params, .seed = seed, .tokens = tokens, .num_prompt_tokens = 7};
    const TokenId token = first.choose(logits, input).value();
    EXPECT_EQ(second.choose(logits, input).value(), token);
  }
}

TEST(Sampler, SeedsAndPositionsGiveUnrelatedNumbers) {
  std::set<double> numbers;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    for (uint64_t position = 0; position < 100; ++position) {
      const double number = uniform_at(seed, position);
      EXPECT_GE(number, 0.0);
      EXPECT_LT(number, 1.0);
      numbers.insert(number);
    }
  }
  EXPECT_EQ(numbers.size(), 10000U);
  EXPECT_EQ(choice_seed(5, 0), 5U);
  EXPECT_NE(choice_seed(5, 1), choice_seed(5, 2));
}

TEST(Sampler, ANumberThatIsNotFiniteIsAnErrorOfThatRow) {
  Sampler sampler(3);
  const SamplingParams params = {.temperature = 0};
  for (const float bad : {kInfinity, -kInfinity, std::nanf("")}) {
    const auto token = sampler.choose(std::vector<float>{1, bad, 2}, {.params = params});
    ASSERT_FALSE(token.ok());
    EXPECT_EQ(token.error().code, ErrorCode::kNumericError);
  }
  EXPECT_TRUE(sampler.choose(std::vector<float>{1, 0, 2}, {.params = params}).ok());
}

class OnlyToken : public TokenMask {
 public:
  explicit OnlyToken(TokenId allowed) : allowed_(allowed) {}
  void apply(std::span<float> logits) override {
    for (size_t i = 0; i < logits.size(); ++i) {
      if (static_cast<TokenId>(i) != allowed_) logits[i] = -kInfinity;
    }
  }
  void accept(TokenId token) override { accepted.push_back(token); }

  std::vector<TokenId> accepted;

 private:
  TokenId allowed_;
};

TEST(Sampler, AMaskBindsGreedyAndDrawnTokens) {
  OnlyToken mask(2);
  Sampler sampler(4);
  for (const float temperature : {0.0F, 1.0F}) {
    const SamplingParams params = {.temperature = temperature};
    const auto token = sampler.choose(std::vector<float>{9, 8, 1, 7}, {.params = params, .mask = &mask});
    EXPECT_EQ(token.value(), 2);
  }
  EXPECT_THAT(mask.accepted, ::testing::ElementsAre(2, 2));
}

TEST(Sampler, AMaskThatExcludesAllIsAnError) {
  OnlyToken mask(-1);
  Sampler sampler(2);
  const SamplingParams params;
  const auto token = sampler.choose(std::vector<float>{1, 2}, {.params = params, .mask = &mask});
  ASSERT_FALSE(token.ok());
  EXPECT_EQ(token.error().code, ErrorCode::kNoValidToken);
}

class ScriptedHook : public SamplerHook {
 public:
  Status process(const SamplerContext& context, std::span<float> logits) override {
    seen_tokens = context.tokens.size();
    logits[0] = value;
    return status;
  }
  Status status;
  float value = 50;
  size_t seen_tokens = 0;
};

TEST(Sampler, AHookChangesLogitsAndMayRefuse) {
  ScriptedHook hook;
  Sampler sampler(3);
  const SamplingParams params = {.temperature = 0};
  const std::vector<TokenId> tokens = {1, 2};
  const std::vector<float> logits = {1, 2, 3};
  const SamplingInput input = {.params = params, .tokens = tokens, .num_prompt_tokens = 1, .hook = &hook};

  EXPECT_EQ(sampler.choose(logits, input).value(), 0);
  EXPECT_EQ(hook.seen_tokens, 2U);
  hook.value = std::nanf("");
  EXPECT_EQ(sampler.choose(logits, input).error().code, ErrorCode::kNumericError);
  hook.status = Error{ErrorCode::kInternal, "no"};
  EXPECT_EQ(sampler.choose(logits, input).error().message, "no");
}

}  // namespace
}  // namespace llama_gpu::engine
