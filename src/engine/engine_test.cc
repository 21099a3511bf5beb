// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/failpoint.h"
#include "engine/engine_fixture.h"
#include "formats/gguf_writer.h"

namespace llama_gpu::engine {
namespace {

using test_support::Answer;
using test_support::RecordingListener;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;

class ThreadedEngineTest : public EngineTest {
 protected:
  std::unique_ptr<Engine> load(const EngineOptions& options) {
    auto engine = Engine::load(backends_, options, listener_);
    EXPECT_TRUE(engine.ok()) << engine.error().message;
    return std::move(engine).value();
  }

  RecordingListener listener_;
};

TEST_F(ThreadedEngineTest, AnswersARequestAndSaysWhatItAccepted) {
  const auto engine = load(options());

  const auto receipt = engine->submit(greedy(1, prompt(1)));
  const Answer answer = listener_.wait_for(1);

  ASSERT_TRUE(receipt.ok());
  EXPECT_EQ(receipt->prompt_tokens, prompt(1));
  EXPECT_EQ(answer.tokens.size(), 24U);
  EXPECT_EQ(answer.finish, FinishReason::kLength);
  EXPECT_EQ(answer.num_updates, 24);
}

TEST_F(ThreadedEngineTest, CountsTheQueueTimeFromWhenTheClientAsked) {
  const auto engine = load(options());
  GenerationRequest request = greedy(1, prompt(1));
  const auto asked = system_clock().now() - std::chrono::seconds(2);
  request.received_ns = std::chrono::nanoseconds(asked.time_since_epoch()).count();

  ASSERT_TRUE(engine->submit(std::move(request)).ok());

  EXPECT_THAT(listener_.wait_for(1).queue_microseconds, ElementsAre(Ge(2'000'000U)));
}

TEST_F(ThreadedEngineTest, ANewEngineGivesTheSameAnswer) {
  Answer first;
  {
    const auto engine = load(options());
    ASSERT_TRUE(engine->submit(greedy(1, prompt(4))).ok());
    first = listener_.wait_for(1);
  }
  const auto engine = load(options());
  ASSERT_TRUE(engine->submit(greedy(2, prompt(4))).ok());

  EXPECT_EQ(listener_.wait_for(2).tokens, first.tokens);
}

TEST_F(ThreadedEngineTest, ManyThreadsSubmitAndCancelAtOnce) {
  const auto engine = load(options());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 8; ++i) {
        const auto id = static_cast<RequestId>(thread * 100 + i);
        EXPECT_TRUE(engine->submit(greedy(id, prompt(i), 12)).ok());
        if (i % 4 == 3) engine->cancel(id);
        engine->stats();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  for (int i = 0; i < 8; ++i) {
    const Answer first = listener_.wait_for(static_cast<RequestId>(i));
    for (int thread = 1; thread < 4; ++thread) {
      const Answer answer = listener_.wait_for(static_cast<RequestId>(thread * 100 + i));
      ASSERT_TRUE(answer.finish.has_value());
      EXPECT_EQ(answer.num_updates_after_finish, 0);
      if (i % 4 != 3) {
        EXPECT_EQ(answer.tokens, first.tokens);
      }
    }
  }
  EXPECT_EQ(engine->stats().kv_blocks_used, 0);
}

TEST_F(ThreadedEngineTest, CancelEndsARunningRequest) {
  const auto engine = load(options());
  ASSERT_TRUE(engine->submit(greedy(1, prompt(1), 400)).ok());
  listener_.wait_for_tokens(1, 2);

  engine->cancel(1);
  engine->cancel(12345);

  const Answer answer = listener_.wait_for(1);
  EXPECT_EQ(answer.finish, FinishReason::kCancelled);
  EXPECT_LT(answer.tokens.size(), 400U);
}

TEST_F(ThreadedEngineTest, DestroyingItCancelsWhatRunsAndWhatWaits) {
  EngineOptions one_at_a_time = options();
  one_at_a_time.max_sequences = 1;
  auto engine = load(one_at_a_time);
  for (RequestId id = 1; id <= 3; ++id) ASSERT_TRUE(engine->submit(greedy(id, prompt(1), 400)).ok());

  engine.reset();

  for (RequestId id = 1; id <= 3; ++id) {
    EXPECT_EQ(listener_.wait_for(id).finish, FinishReason::kCancelled) << id;
  }
}

TEST_F(ThreadedEngineTest, AnIdMayBeUsedAgainOnceItsRequestEnded) {
  const auto engine = load(options());
  ASSERT_TRUE(engine->submit(greedy(1, prompt(1), 400)).ok());

  const auto second = engine->submit(greedy(1, prompt(2)));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().param, "id");
  engine->cancel(1);
  listener_.wait_for(1);

  EXPECT_TRUE(engine->submit(greedy(1, prompt(2), 1)).ok());
}

TEST_F(ThreadedEngineTest, RefusesMoreRequestsThanItMayHold) {
  EngineOptions two_at_once = options();
  two_at_once.max_requests = 2;
  const auto engine = load(two_at_once);
  for (RequestId id = 1; id <= 2; ++id) ASSERT_TRUE(engine->submit(greedy(id, prompt(1), 400)).ok());

  const auto third = engine->submit(greedy(3, prompt(1)));
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error().code, ErrorCode::kOverloaded);
  EXPECT_THAT(third.error().hint, HasSubstr("engine.max_requests"));
  engine->cancel(1);
  listener_.wait_for(1);

  EXPECT_TRUE(engine->submit(greedy(4, prompt(1), 1)).ok());
}

TEST_F(ThreadedEngineTest, ARefusedRequestLeavesNoTrace) {
  const auto engine = load(options());
  GenerationRequest bad = greedy(1, prompt(1));
  bad.sampling.temperature = -1;

  EXPECT_EQ(engine->submit(bad).error().param, "temperature");
  EXPECT_TRUE(engine->submit(greedy(1, prompt(1), 2)).ok());
  EXPECT_EQ(listener_.wait_for(1).tokens.size(), 2U);
}

TEST_F(ThreadedEngineTest, LivesOnAfterAStepThatFailed) {
  const auto engine = load(options());
  {
    const ScopedFailpoints failpoints("engine.step=error");
    ASSERT_TRUE(engine->submit(greedy(1, prompt(1))).ok());
    EXPECT_EQ(listener_.wait_for(1).error->code, ErrorCode::kInternal);
  }
  ASSERT_TRUE(engine->submit(greedy(2, prompt(2), 3)).ok());
  EXPECT_EQ(listener_.wait_for(2).finish, FinishReason::kLength);
}

TEST_F(ThreadedEngineTest, SaysWhatItLoaded) {
  const auto engine = load(options());

  const ModelInfo info = engine->info();

  EXPECT_EQ(info.architecture, "llama");
  EXPECT_EQ(info.name, "tiny");
  EXPECT_EQ(info.vocab_size, 320);
  EXPECT_EQ(info.context_tokens, 512);
  EXPECT_GT(info.file_size_bytes, info.weight_bytes / 8);
  EXPECT_GT(info.kv_bytes_per_token, 0);
  EXPECT_TRUE(info.has_chat_template);
  EXPECT_THAT(info.backend, HasSubstr("reference"));
}

TEST_F(ThreadedEngineTest, CountsWhatItDid) {
  const auto engine = load(options());
  ASSERT_TRUE(engine->submit(greedy(1, prompt(1, 10), 5)).ok());
  listener_.wait_for(1);

  const EngineStats stats = engine->stats();

  EXPECT_EQ(stats.prompt_tokens, 10U);
  EXPECT_EQ(stats.generated_tokens, 5U);
  EXPECT_EQ(stats.steps, 5U);
  EXPECT_EQ(stats.running + stats.waiting, 0);
  EXPECT_EQ(stats.kv_blocks_total, 32 * 1024 / 16);
}

TEST_F(ThreadedEngineTest, TurnsTextIntoTokensAndBack) {
  const auto engine = load(options());

  const std::vector<TokenId> tokens = engine->tokenize({"hello <|im_end|>"}).value();

  EXPECT_EQ(engine->detokenize(tokens).value(), "hello <|im_end|>");
  EXPECT_EQ(tokens.back(), 2);
  EXPECT_EQ(engine->token_bytes(2), "<|im_end|>");
  EXPECT_TRUE(engine->tokenize({""})->empty());
  EXPECT_EQ(engine->detokenize(std::vector<TokenId>{320}).error().param, "tokens");
  EXPECT_THAT(engine->apply_template({{{"user", "hi"}}}).value(),
              HasSubstr("<|im_start|>user\nhi<|im_end|>"));
}

// Holds the engine thread at its next update, until told to go on.
class HoldingListener : public RecordingListener {
 public:
  void on_step(std::span<const SequenceUpdate> updates) override {
    RecordingListener::on_step(updates);
    go_on_.wait(false);
  }
  void go_on() {
    go_on_ = true;
    go_on_.notify_all();
  }

 private:
  std::atomic<bool> go_on_ = false;
};

TEST_F(ThreadedEngineTest, CountsAsWaitingEveryChoiceThatItWasGivenAndNoCancel) {
  HoldingListener listener;
  const auto engine = std::move(Engine::load(backends_, options(), listener)).value();
  ASSERT_TRUE(engine->submit(greedy(1, prompt(1), 400)).ok());
  listener.wait_for_tokens(1, 1);

  GenerationRequest two_choices = greedy(2, prompt(2), 400);
  two_choices.num_choices = 2;
  ASSERT_TRUE(engine->submit(two_choices).ok());
  for (const RequestId id : {1, 2, 2}) engine->cancel(id);

  EXPECT_EQ(engine->stats().waiting, 2);
  listener.go_on();
  EXPECT_EQ(listener.wait_for(2, 1).finish, FinishReason::kCancelled);
  EXPECT_EQ(engine->stats().waiting, 0);
}

struct BadOption {
  const char* param;
  void (*spoil)(EngineOptions&);
};
constexpr BadOption kBadOptions[] = {
    {"num_threads", [](EngineOptions& o) { o.num_threads = -1; }},
    {"context_tokens", [](EngineOptions& o) { o.context_tokens = -1; }},
    {"context_tokens", [](EngineOptions& o) { o.context_tokens = 513; }},
    {"max_sequences", [](EngineOptions& o) { o.max_sequences = 0; }},
    {"max_sequences", [](EngineOptions& o) { o.max_sequences = 100'000; }},
    {"kv_tokens", [](EngineOptions& o) { o.kv_tokens = -16; }},
    {"step_tokens", [](EngineOptions& o) { o.step_tokens = 0; }},
    {"max_requests", [](EngineOptions& o) { o.max_requests = 0; }},
    {"step_milliseconds", [](EngineOptions& o) { o.step_milliseconds = -1; }},
    {"backend", [](EngineOptions& o) { o.backend = "abacus"; }},
};

TEST_F(ThreadedEngineTest, BadOptionsAreNamed) {
  for (const BadOption& bad : kBadOptions) {
    EngineOptions spoiled = options();
    bad.spoil(spoiled);
    const auto engine = Engine::load(backends_, spoiled, listener_);
    ASSERT_FALSE(engine.ok()) << bad.param;
    EXPECT_EQ(engine.error().code, ErrorCode::kInvalidValue);
    EXPECT_EQ(engine.error().param, bad.param);
  }
}

TEST_F(ThreadedEngineTest, AFileThatIsNotThereIsATypedError) {
  EngineOptions missing = options();
  missing.model_path = "/nowhere/model.gguf";
  const auto engine = Engine::load(backends_, missing, listener_);
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.error().code, ErrorCode::kFileNotFound);
}

TEST_F(ThreadedEngineTest, AnErrorOfTheContentsNamesTheFile) {
  EngineOptions spoiled = options();
  const test_support::ScratchFile file(".gguf");
  spoiled.model_path = file.path();
  formats::GgufWriter writer;
  writer.add_string("general.architecture", "llama");
  ASSERT_TRUE(writer.write(spoiled.model_path).ok());

  const auto engine = Engine::load(backends_, spoiled, listener_);

  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.error().code, ErrorCode::kTokenizerInvalid);
  EXPECT_THAT(engine.error().message,
              testing::StartsWith("'" + spoiled.model_path + "': metadata key 'tokenizer.ggml.model'"));
}

TEST_F(ThreadedEngineTest, AModelThatCannotComputeIsRefusedAtLoad) {
  const ScopedFailpoints failpoints("engine.step=error:numeric_error");
  const auto engine = Engine::load(backends_, options(), listener_);
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.error().code, ErrorCode::kNumericError);
}

}  // namespace
}  // namespace llama_gpu::engine
