// SPDX-License-Identifier: Apache-2.0
#include "engine/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/clock_fake.h"
#include "base/failpoint.h"
#include "base/strings.h"
#include "engine/engine_fixture.h"

namespace llama_gpu::engine {
namespace {

using test_support::Answer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class GeneratorTest : public EngineTest {
 protected:
  SteppedGenerator load(const EngineOptions& options) {
    auto loaded = load_engine(backends_, options, clock_);
    EXPECT_TRUE(loaded.ok()) << loaded.error().message;
    return SteppedGenerator(std::move(loaded).value());
  }

  FakeClock clock_;

  // The answer to one request that runs alone, in a generator of its own.
  Answer alone(const EngineOptions& options, GenerationRequest request) {
    SteppedGenerator generator = load(options);
    const RequestId id = request.id;
    generator.add(std::move(request));
    generator.run();
    return generator.answer(id);
  }
};

TEST_F(GeneratorTest, AnAnswerIsTheSameAloneAndAmongSixteenOthers) {
  const Answer expected = alone(options(), greedy(7, prompt(7)));
  SteppedGenerator generator = load(options());

  for (RequestId id = 0; id < 17; ++id) {
    generator.add(greedy(id, prompt(static_cast<int>(id)), 10 + static_cast<int64_t>(id) * 2));
    generator.step();
  }
  generator.run();

  EXPECT_EQ(expected.tokens.size(), 24U);
  EXPECT_EQ(generator.answer(7).tokens, expected.tokens);
  EXPECT_EQ(generator.answer(7).text, expected.text);
}

TEST_F(GeneratorTest, AnAnswerIsTheSameForEveryChunkSize) {
  const Answer expected = alone(options(), greedy(1, prompt(1, 100)));

  for (const int32_t step_tokens : {1, 7, 64, 256}) {
    EngineOptions chunked = options();
    chunked.step_tokens = step_tokens;
    EXPECT_EQ(alone(chunked, greedy(1, prompt(1, 100))).tokens, expected.tokens) << step_tokens;
  }
}

TEST_F(GeneratorTest, AnAnswerIsTheSameAfterPreemption) {
  EngineOptions small = options();
  small.context_tokens = 96;
  small.kv_tokens = 128;
  SteppedGenerator generator = load(small);

  for (RequestId id = 0; id < 6; ++id) generator.add(greedy(id, prompt(static_cast<int>(id)), 30));
  generator.run();

  EXPECT_GT(generator.generator().stats().preemptions, 0U);
  EXPECT_EQ(generator.generator().stats().kv_blocks_used, 0);
  for (RequestId id = 0; id < 6; ++id) {
    EXPECT_EQ(generator.answer(id).tokens,
              alone(options(), greedy(id, prompt(static_cast<int>(id)), 30)).tokens)
        << id;
  }
}

TEST_F(GeneratorTest, AnAnswerIsTheSameWhicheverBlockOfTheCacheIsRefused) {
  Answer expected[3];
  for (int id = 0; id < 3; ++id)
    expected[id] = alone(options(), greedy(static_cast<RequestId>(id), prompt(id, 20), 30));

  for (int refused = 1; refused <= 13; ++refused) {
    SteppedGenerator generator = load(options());
    const ScopedFailpoints failpoints("engine.kv_block=error@" + std::to_string(refused));
    for (int id = 0; id < 3; ++id) generator.add(greedy(static_cast<RequestId>(id), prompt(id, 20), 30));
    generator.run();

    for (int id = 0; id < 3; ++id)
      EXPECT_EQ(generator.answer(static_cast<RequestId>(id)).tokens, expected[id].tokens) << refused;
    EXPECT_EQ(generator.generator().stats().kv_blocks_used, 0);
  }
}

TEST_F(GeneratorTest, ADrawnAnswerDependsOnItsSeedOnly) {
  GenerationRequest request = greedy(3, prompt(3));
  request.sampling.temperature = 1;
  request.sampling.seed = 42;
  const Answer expected = alone(options(), request);
  EngineOptions small = options();
  small.context_tokens = 96;
  small.kv_tokens = 128;
  SteppedGenerator generator = load(small);

  for (RequestId id = 0; id < 6; ++id) {
    GenerationRequest other = greedy(id, prompt(static_cast<int>(id)), 30);
    other.sampling.temperature = 1;
    generator.add(id == 3 ? request : other);
  }
  generator.run();

  EXPECT_EQ(generator.answer(3).tokens, expected.tokens);
  request.sampling.seed = 43;
  EXPECT_NE(alone(options(), request).tokens, expected.tokens);
}

TEST_F(GeneratorTest, ChoicesShareTheirPromptAndDrawForThemselves) {
  GenerationRequest request = greedy(1, prompt(1, 40));
  request.sampling.temperature = 1;
  request.sampling.seed = 5;
  const Answer expected = alone(options(), request);
  EngineOptions whole = options();
  whole.step_milliseconds = 0;
  SteppedGenerator generator = load(whole);

  request.num_choices = 4;
  generator.add(request);
  generator.step();
  EXPECT_EQ(generator.generator().stats().kv_blocks_used, 2 + 4);
  EXPECT_EQ(generator.generator().stats().prompt_tokens, 40U + 3 * 8);
  generator.run();

  EXPECT_EQ(generator.answer(1, 0).tokens, expected.tokens);
  EXPECT_NE(generator.answer(1, 1).tokens, generator.answer(1, 2).tokens);
  EXPECT_NE(generator.answer(1, 3).tokens, expected.tokens);
}

// A clock that moves each time it is looked at: every step seems to take so long.
class RunningClock final : public Clock {
 public:
  explicit RunningClock(std::chrono::milliseconds step) : step_(step) {}
  SteadyTime now() const override { return now_ += step_; }
  int64_t unix_milliseconds() const override { return 0; }

 private:
  std::chrono::milliseconds step_;
  mutable SteadyTime now_;
};

TEST_F(GeneratorTest, CutsPromptsIntoStepsThatTakeTheTimeAimedAtWithoutChangingTheAnswer) {
  const auto run = [&](int32_t target, std::chrono::milliseconds step) {
    const RunningClock clock(step);
    EngineOptions paced = options();
    paced.step_milliseconds = target;
    SteppedGenerator generator(std::move(load_engine(backends_, paced, clock)).value());
    generator.add(greedy(1, prompt(1, 200), 4));
    generator.run();
    return std::pair(generator.generator().stats().steps, generator.answer(1).tokens);
  };
  const auto slow = run(100, std::chrono::milliseconds(400));
  const auto fast = run(100, std::chrono::milliseconds(10));
  const auto unpaced = run(0, std::chrono::milliseconds(400));

  EXPECT_EQ(slow.first, 13U + 3U) << "16 rows at a time";
  EXPECT_EQ(fast.first, 3U + 3U) << "16 rows, 64, and the rest";
  EXPECT_EQ(unpaced.first, 1U + 3U);
  EXPECT_EQ(slow.second, unpaced.second);
  EXPECT_EQ(fast.second, unpaced.second);
}

TEST_F(GeneratorTest, GreedyChoicesAreAllTheSame) {
  SteppedGenerator generator = load(options());
  GenerationRequest request = greedy(1, prompt(1, 33));
  request.num_choices = 3;

  generator.add(request);
  generator.run();

  EXPECT_EQ(generator.answer(1, 1).tokens, generator.answer(1, 0).tokens);
  EXPECT_EQ(generator.answer(1, 2).tokens, generator.answer(1, 0).tokens);
}

TEST_F(GeneratorTest, TellsOnceHowLongASequenceWaitedForItsPlace) {
  EngineOptions one_at_a_time = options();
  one_at_a_time.max_sequences = 1;
  one_at_a_time.step_tokens = 4;
  SteppedGenerator generator = load(one_at_a_time);
  generator.add(greedy(1, prompt(1, 10), 2), clock_.now());
  generator.add(greedy(2, prompt(2, 10), 2), clock_.now());
  clock_.advance(std::chrono::milliseconds(3));

  while (generator.generator().stats().running + generator.generator().stats().waiting > 0) {
    generator.step();
    clock_.advance(std::chrono::milliseconds(10));
  }

  // Three steps of prompt, one of which samples, and one more token: then comes the other.
  EXPECT_THAT(generator.answer(1).queue_microseconds, ElementsAre(3'000));
  EXPECT_THAT(generator.answer(2).queue_microseconds, ElementsAre(43'000));
}

TEST_F(GeneratorTest, EndsAtMaxTokensOrAtTheEndOfTheContext) {
  EngineOptions small = options();
  small.context_tokens = 48;

  const Answer bounded = alone(small, greedy(1, prompt(1, 20), 5));
  GenerationRequest unbounded = greedy(1, prompt(1, 20));
  unbounded.max_tokens.reset();
  const Answer full = alone(small, unbounded);

  EXPECT_EQ(bounded.tokens.size(), 5U);
  EXPECT_EQ(bounded.finish, FinishReason::kLength);
  EXPECT_EQ(full.tokens.size(), 28U);
  EXPECT_EQ(full.finish, FinishReason::kLength);
}

TEST_F(GeneratorTest, EndsWhereTheModelEnds) {
  GenerationRequest request = greedy(1, prompt(1));
  request.sampling.logit_bias = {{2, 100.0F}};  // EOS
  request.ignore_eos = false;
  const Answer ended = alone(options(), request);
  request.ignore_eos = true;
  const Answer ignored = alone(options(), request);

  EXPECT_EQ(ended.finish, FinishReason::kStop);
  EXPECT_THAT(ended.tokens, ElementsAre(2));
  EXPECT_EQ(ended.text, "");
  EXPECT_EQ(ignored.finish, FinishReason::kLength);
  EXPECT_EQ(ignored.tokens.size(), 24U);
}

TEST_F(GeneratorTest, BiasOfOneRequestDoesNotReachItsNeighbour) {
  const Answer expected = alone(options(), greedy(1, prompt(1)));
  SteppedGenerator generator = load(options());
  GenerationRequest biased = greedy(2, prompt(1));
  biased.sampling.logit_bias = {{expected.tokens[0], -100.0F}};

  generator.add(biased);
  generator.add(greedy(1, prompt(1)));
  generator.run();

  EXPECT_EQ(generator.answer(1).tokens, expected.tokens);
  EXPECT_NE(generator.answer(2).tokens, expected.tokens);
}

TEST_F(GeneratorTest, NoPartOfAStopStringIsShownWhereverItsTokensEnd) {
  const Answer whole = alone(options(), greedy(1, prompt(9), 40));
  ASSERT_TRUE(is_valid_utf8(whole.text));
  ASSERT_GT(whole.text.size(), 20U);

  for (size_t begin = 0; begin + 5 < whole.text.size(); ++begin) {
    const std::string stop = whole.text.substr(begin, 5);
    if (!is_valid_utf8(stop)) continue;
    GenerationRequest request = greedy(1, prompt(9), 40);
    request.stop = {"never there", stop};

    const Answer cut = alone(options(), request);

    EXPECT_EQ(cut.text, whole.text.substr(0, whole.text.find(stop)));
    EXPECT_EQ(cut.finish, FinishReason::kStop);
    begin += 10;
  }
}

TEST_F(GeneratorTest, TextThatOnlyBeginsAStopStringIsGivenOutAtTheEnd) {
  const Answer whole = alone(options(), greedy(1, prompt(9)));
  GenerationRequest request = greedy(1, prompt(9));
  request.stop = {whole.text.substr(whole.text.size() - 3) + "and more"};
  if (!is_valid_utf8(request.stop[0])) request.stop = {"~never~"};

  EXPECT_EQ(alone(options(), request).text, whole.text);
}

TEST_F(GeneratorTest, LogprobsAreOfTheRawModel) {
  GenerationRequest request = greedy(1, prompt(1), 6);
  request.top_logprobs = 3;
  const Answer plain = alone(options(), request);
  request.sampling.temperature = 0.5F;
  request.sampling.logit_bias = {{plain.tokens[0], 50.0F}};
  const Answer biased = alone(options(), request);

  ASSERT_EQ(plain.logprobs.size(), 6U);
  const TokenLogprob& first = plain.logprobs[0];
  EXPECT_EQ(first.token, plain.tokens[0]);
  ASSERT_EQ(first.top.size(), 3U);
  EXPECT_EQ(first.top[0].first, first.token);
  EXPECT_EQ(first.top[0].second, first.logprob);
  EXPECT_GT(first.top[0].second, first.top[1].second);
  EXPECT_EQ(first.top_bytes.size(), 3U);
  EXPECT_EQ(biased.logprobs[0].logprob, first.logprob);
}

TEST_F(GeneratorTest, WithoutTopLogprobsOnlyTheChosenTokenIsScored) {
  GenerationRequest request = greedy(1, prompt(1), 2);
  request.top_logprobs = 0;
  const Answer answer = alone(options(), request);
  EXPECT_THAT(answer.logprobs[0].top, IsEmpty());
  EXPECT_THAT(alone(options(), greedy(1, prompt(1), 2)).logprobs, IsEmpty());
}

TEST_F(GeneratorTest, ScoresAPromptAsItWouldScoreTheSameAnswer) {
  GenerationRequest request = greedy(1, prompt(1, 60), 5);
  request.top_logprobs = 1;
  const Answer generated = alone(options(), request);
  std::vector<TokenId> whole = prompt(1, 60);
  whole.insert(whole.end(), generated.tokens.begin(), generated.tokens.end());

  for (const int32_t step_tokens : {1, 7, 256}) {
    EngineOptions chunked = options();
    chunked.step_tokens = step_tokens;
    GenerationRequest scoring = greedy(1, whole, 0);
    scoring.prompt_logprobs = true;
    const Answer scored = alone(chunked, scoring);

    ASSERT_EQ(scored.prompt_logprobs.size(), 65U);
    EXPECT_EQ(scored.finish, FinishReason::kLength);
    EXPECT_THAT(scored.tokens, IsEmpty());
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(scored.prompt_logprobs[60 + i].logprob, generated.logprobs[i].logprob);
      EXPECT_EQ(scored.prompt_logprobs[60 + i].token, generated.tokens[i]);
    }
  }
}

TEST_F(GeneratorTest, EachScoredChoiceHearsOfThePromptOnce) {
  SteppedGenerator generator = load(options());
  GenerationRequest request = greedy(1, prompt(1, 20), 3);
  request.prompt_logprobs = true;
  request.num_choices = 2;

  generator.add(request);
  generator.run();

  EXPECT_EQ(generator.answer(1, 0).prompt_logprobs.size(), 20U);
  EXPECT_EQ(generator.answer(1, 1).prompt_logprobs.size(), 20U);
  EXPECT_EQ(generator.answer(1, 1).tokens, generator.answer(1, 0).tokens);
}

TEST_F(GeneratorTest, ScoringAPromptOfOneTokenHasOneEmptyEntry) {
  GenerationRequest request = greedy(1, {5}, 0);
  request.prompt_logprobs = true;
  const Answer answer = alone(options(), request);
  ASSERT_EQ(answer.prompt_logprobs.size(), 1U);
  EXPECT_EQ(answer.prompt_logprobs[0].token, 5);
}

TEST_F(GeneratorTest, NothingToGenerateAndNothingToScoreEndsAtOnce) {
  SteppedGenerator generator = load(options());
  generator.add(greedy(1, prompt(1), 0));
  EXPECT_FALSE(generator.generator().has_work());
  EXPECT_EQ(generator.answer(1).finish, FinishReason::kLength);
}

TEST_F(GeneratorTest, CancellingEndsEveryChoiceAndFreesItsBlocks) {
  SteppedGenerator generator = load(options());
  GenerationRequest request = greedy(1, prompt(1), 100);
  request.num_choices = 3;
  generator.add(request);
  generator.add(greedy(2, prompt(2), 4));
  generator.step();

  generator.generator().cancel(1);
  generator.generator().cancel(77);
  generator.hear();
  generator.run();

  for (int32_t choice = 0; choice < 3; ++choice) {
    EXPECT_EQ(generator.answer(1, choice).finish, FinishReason::kCancelled);
  }
  EXPECT_EQ(generator.answer(2).finish, FinishReason::kLength);
  EXPECT_EQ(generator.generator().stats().kv_blocks_used, 0);
}

TEST_F(GeneratorTest, AStepThatFailsEndsItsSequencesAndNoOthers) {
  const Answer expected = alone(options(), greedy(2, prompt(2)));
  SteppedGenerator generator = load(options());
  generator.add(greedy(1, prompt(1)));
  {
    const ScopedFailpoints failpoints("engine.step=error:numeric_error@1");
    generator.step();
  }

  generator.add(greedy(2, prompt(2)));
  generator.run();

  EXPECT_EQ(generator.answer(1).finish, FinishReason::kError);
  EXPECT_EQ(generator.answer(1).error->code, ErrorCode::kNumericError);
  EXPECT_EQ(generator.answer(2).tokens, expected.tokens);
  EXPECT_EQ(generator.generator().stats().kv_blocks_used, 0);
}

TEST_F(GeneratorTest, EndsAllWithTheErrorThatItIsGiven) {
  SteppedGenerator generator = load(options());
  generator.add(greedy(1, prompt(1)));
  generator.step();
  const Error error = {ErrorCode::kOutOfMemory, "no memory"};

  generator.generator().end_all(&error);
  generator.hear();

  EXPECT_EQ(generator.answer(1).error, error);
  EXPECT_FALSE(generator.generator().has_work());
}

}  // namespace
}  // namespace llama_gpu::engine
