// SPDX-License-Identifier: Apache-2.0
//
// The default model against the answers of upstream code in float32.
//
// The reference backend computes the same function, so it must agree but for rounding. The CPU backend also
// rounds activations to 8 bits: single values differ, means and clear decisions must not.
#include <gtest/gtest.h>

#include <cmath>

#include "golden/engine_runs.h"
#include "golden/golden_data.h"
#include "support/default_model.h"

namespace llama_gpu::golden {
namespace {

using engine::EngineOptions;
using engine::GenerationRequest;
using test_support::Answer;

EngineOptions model_on(const char* backend) {
  EngineOptions options;
  options.model_path = test_support::default_model_path();
  options.backend = backend;
  return options;
}

GenerationRequest score_request(engine::RequestId id, std::vector<TokenId> ids) {
  GenerationRequest request = greedy_request(id, std::move(ids), 0);
  request.prompt_logprobs = true;
  request.top_logprobs = 1;
  return request;
}

TEST(GoldenEngine, TheReferenceBackendScoresAsUpstreamDoes) {
  // 17 tokens make 16 scores; the double arithmetic of the reference takes its time.
  constexpr size_t kTokens = 17;
  const auto& rows = golden_data().score;
  std::vector<GenerationRequest> requests;
  for (size_t i = 0; i < rows.size(); ++i) {
    requests.push_back(score_request(i, {rows[i].ids.begin(), rows[i].ids.begin() + kTokens}));
  }
  EngineOptions options = model_on("reference");
  options.kv_tokens = 1024;

  const EngineRun run = run_engine(options, requests);

  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(run.answers[i].prompt_logprobs.size(), kTokens);
    for (size_t t = 0; t + 1 < kTokens; ++t) {
      EXPECT_NEAR(run.answers[i].prompt_logprobs[t + 1].logprob, rows[i].logprobs[t], 1e-3)
          << rows[i].text << " at " << t;
    }
  }
}

TEST(GoldenEngine, TheCpuBackendLosesLittleToEightBitActivations) {
  constexpr double kMeanBound = 0.045;  // 0.024 on the worst text; 0.06 would still be good
  constexpr double kClearMargin = 1.0;
  const auto& rows = golden_data().score;
  std::vector<GenerationRequest> requests;
  for (size_t i = 0; i < rows.size(); ++i) requests.push_back(score_request(i, rows[i].ids));

  const EngineRun run = run_engine(model_on("cpu"), requests);

  for (size_t i = 0; i < rows.size(); ++i) {
    const ScoreRow& row = rows[i];
    const Answer& answer = run.answers[i];
    ASSERT_EQ(answer.prompt_logprobs.size(), row.ids.size());
    double sum = 0;
    for (size_t t = 0; t < row.logprobs.size(); ++t) {
      const engine::TokenLogprob& score = answer.prompt_logprobs[t + 1];
      sum += std::abs(static_cast<double>(score.logprob) - row.logprobs[t]);
      if (row.margins[t] > kClearMargin) {
        EXPECT_EQ(score.top[0].first, row.top1[t]) << row.text << " at " << t;
      }
    }
    const double mean = sum / static_cast<double>(row.logprobs.size());
    EXPECT_LE(mean, kMeanBound) << row.text;
    RecordProperty("mean_delta_" + std::to_string(i), std::to_string(mean));
    std::printf("mean |delta logprob| of text %zu: %.4f\n", i, mean);
  }
}

TEST(GoldenEngine, GreedyAnswersFollowUpstreamUntilItIsUndecidedItself) {
  // Below this margin 8-bit activations may tip the choice, and all that follows differs.
  constexpr double kUndecided = 0.35;
  const auto& rows = golden_data().generate;
  std::vector<GenerationRequest> requests;
  for (size_t i = 0; i < rows.size(); ++i) {
    requests.push_back(greedy_request(i, rows[i].prompt_ids, static_cast<int64_t>(rows[i].ids.size())));
  }

  const EngineRun run = run_engine(model_on("cpu"), requests);

  size_t compared = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t t = 0; t < rows[i].ids.size(); ++t) {
      const bool agrees = run.answers[i].tokens[t] == rows[i].ids[t];
      if (!agrees && rows[i].margins[t] < kUndecided) break;
      EXPECT_TRUE(agrees) << rows[i].text << " at " << t << ", margin " << rows[i].margins[t];
      if (!agrees) break;
      ++compared;
    }
  }
  EXPECT_GE(compared, 16U) << "too little was compared to mean anything";
  std::printf("%zu greedy tokens agree with upstream\n", compared);
}

// The same answers however they are computed: each test compares with a run alone, at the defaults.
class GoldenInvariance : public ::testing::Test {
 protected:
  static std::vector<TokenId> prompt(size_t number) {
    const auto& rows = golden_data().generate;
    return rows[number % rows.size()].prompt_ids;
  }
  static std::vector<TokenId> answer_alone(const EngineOptions& options, size_t number) {
    return run_engine(options, {greedy_request(1, prompt(number), kTokens)}).answers[0].tokens;
  }
  static const std::vector<TokenId>& expected(size_t number) {
    static std::vector<std::vector<TokenId>> answers(golden_data().generate.size());
    auto& answer = answers[number % answers.size()];
    if (answer.empty()) answer = answer_alone(model_on("cpu"), number);
    return answer;
  }
  static constexpr int64_t kTokens = 32;
};

TEST_F(GoldenInvariance, ANewEngine) { EXPECT_EQ(answer_alone(model_on("cpu"), 0), expected(0)); }

TEST_F(GoldenInvariance, EveryChunkSize) {
  for (const int32_t step_tokens : {1, 7, 64, 256}) {
    EngineOptions options = model_on("cpu");
    options.step_tokens = step_tokens;
    EXPECT_EQ(answer_alone(options, 1), expected(1)) << step_tokens;
  }
}

TEST_F(GoldenInvariance, EveryNumberOfThreads) {
  for (const int32_t num_threads : {1, 2}) {
    EngineOptions options = model_on("cpu");
    options.num_threads = num_threads;
    EXPECT_EQ(answer_alone(options, 2), expected(2)) << num_threads;
  }
}

TEST_F(GoldenInvariance, AmongSixteenOthers) {
  std::vector<GenerationRequest> requests;
  for (size_t i = 0; i < 17; ++i) requests.push_back(greedy_request(i, prompt(i), kTokens));

  const EngineRun run = run_engine(model_on("cpu"), requests);

  for (size_t i = 0; i < 17; ++i) EXPECT_EQ(run.answers[i].tokens, expected(i)) << i;
}

TEST_F(GoldenInvariance, AfterPreemption) {
  EngineOptions options = model_on("cpu");
  options.context_tokens = 128;
  options.kv_tokens = 192;
  std::vector<GenerationRequest> requests;
  for (size_t i = 0; i < 4; ++i) requests.push_back(greedy_request(i, prompt(i), kTokens));

  const EngineRun run = run_engine(options, requests);

  EXPECT_GT(run.stats.preemptions, 0U);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(run.answers[i].tokens, expected(i)) << i;
}

}  // namespace
}  // namespace llama_gpu::golden
