// SPDX-License-Identifier: Apache-2.0
// The real engine, on a tiny model, in worker processes.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <future>

#include "ops/reference/reference_backend.h"
#include "supervisor/model_host_fixture.h"
#include "support/recording_listener.h"
#include "support/scratch_file.h"
#include "support/tiny_model.h"

namespace llama_gpu::supervisor {
namespace {

using testing::HasSubstr;

class EngineInWorkerTest : public SupervisedModelHostTest {
 protected:
  EngineInWorkerTest() { EXPECT_TRUE(test_support::write_tiny_llama(file_.path()).ok()); }

  void start_engine() { start({tiny_model()}, options({"engine"})); }
  ModelSpec tiny_model() const {
    ModelSpec spec = model(file_.path());
    spec.options.backend = "reference";
    spec.options.num_threads = 1;
    return spec;
  }
  static engine::GenerationRequest greedy(engine::RequestId id, int64_t max_tokens) {
    engine::GenerationRequest request;
    request.id = id;
    request.prompt = engine::ChatPrompt{{{"user", "tell me a story"}}, true};
    request.sampling.temperature = 0;
    request.max_tokens = max_tokens;
    request.ignore_eos = true;
    return request;
  }
  std::shared_ptr<Heard> ask_greedy(int64_t max_tokens) {
    auto heard = std::make_shared<Heard>();
    last_request_ = host_->next_request_id();
    host_->generate("m", greedy(last_request_, max_tokens), heard);
    return heard;
  }
  // The text that the same engine gives in this process.
  std::string expected_answer(int64_t max_tokens) {
    test_support::RecordingListener listener;
    BackendRegistry backends;
    backends.add("reference", make_reference_backend);
    const auto engine = engine::Engine::load(backends, tiny_model().options, listener).value();
    EXPECT_TRUE(engine->submit(greedy(1, max_tokens)).ok());
    return listener.wait_for(1).text;
  }

  test_support::ScratchFile file_{".gguf"};
};

TEST_F(EngineInWorkerTest, GivesTheSameAnswerAsInProcessAlsoAfterAKill) {
  const std::string expected = expected_answer(20);
  start_engine();
  const auto first = ask_greedy(20);
  ASSERT_TRUE(first->wait_for_end());
  EXPECT_EQ(first->text(), expected);

  ::kill(static_cast<pid_t>(status().pid), SIGKILL);
  ASSERT_TRUE(eventually([&] { return status().restarts == 1; }));
  const auto second = ask_greedy(20);

  ASSERT_TRUE(second->wait_for_end());
  EXPECT_EQ(second->text(), expected);
  EXPECT_EQ(host_->find_model("m")->info->architecture, "llama");
}

TEST_F(EngineInWorkerTest, FailsBegunStreamsAtAKillAndIsBackByItself) {
  start_engine();
  std::vector<std::shared_ptr<Heard>> streams;
  for (int i = 0; i < 8; ++i) streams.push_back(ask_greedy(480));
  for (const auto& stream : streams) ASSERT_TRUE(stream->wait_for_text());

  ::kill(static_cast<pid_t>(status().pid), SIGKILL);

  for (const auto& stream : streams) {
    ASSERT_TRUE(stream->wait_for_end());
    ASSERT_TRUE(stream->error().has_value());
    EXPECT_EQ(stream->error()->code, ErrorCode::kWorkerFailed);
  }
  ASSERT_TRUE(wait_until_ready());
  const auto next = ask_greedy(4);
  ASSERT_TRUE(next->wait_for_end());
  EXPECT_EQ(next->finish(), FinishReason::kLength);
}

TEST_F(EngineInWorkerTest, TokenizesAndRendersInTheWorker) {
  start_engine();
  std::promise<TokenizedText> tokenized;
  host_->tokenize("m", {"hello", true, true}, /*with_pieces=*/true,
                  [&](auto result) { tokenized.set_value(result.value()); });
  const TokenizedText hello = tokenized.get_future().get();
  std::promise<std::string> text, rendered;
  host_->detokenize("m", hello.tokens, [&](auto result) { text.set_value(result.value()); });
  host_->apply_template("m", {{{"user", "hi"}}, true},
                        [&](auto result) { rendered.set_value(result.value()); });

  std::string pieces;
  for (const auto& piece : hello.pieces) pieces.append(piece.begin(), piece.end());
  EXPECT_THAT(pieces, HasSubstr("hello"));
  EXPECT_THAT(text.get_future().get(), HasSubstr("hello"));
  EXPECT_THAT(rendered.get_future().get(), HasSubstr("hi"));
}

TEST_F(EngineInWorkerTest, FreesItsPlaceWhenCancelled) {
  start_engine();
  const auto heard = ask_greedy(480);
  ASSERT_TRUE(heard->wait_for_text());
  host_->cancel(last_request_);
  EXPECT_TRUE(eventually([&] { return status().stats.running == 0 && status().stats.kv_blocks_used == 0; }));
}

TEST_F(EngineInWorkerTest, SaysWhatIsWrongWithADamagedFileAndKeepsServingOthers) {
  const test_support::ScratchFile damaged(".gguf");
  std::filesystem::copy_file(file_.path(), damaged.path());
  std::filesystem::resize_file(damaged.path(), 1000);
  ModelSpec bad = tiny_model();
  bad.id = "bad";
  bad.options.model_path = damaged.path();
  start({tiny_model(), bad}, options({"engine"}));

  ASSERT_TRUE(eventually([&] { return host_->workers()[1].state == WorkerState::kFailed; }));
  EXPECT_EQ(host_->workers()[1].last_exit->kind, ExitKind::kLoadFailed);
  EXPECT_FALSE(host_->workers()[1].last_exit->message.empty());
  const auto heard = ask_greedy(2);
  ASSERT_TRUE(heard->wait_for_end());
  EXPECT_EQ(heard->finish(), FinishReason::kLength);

  ASSERT_TRUE(test_support::write_tiny_llama(damaged.path()).ok());
  EXPECT_TRUE(eventually([&] { return host_->workers()[1].is_ready; }))
      << "whole, it is loaded without a hand";
}

TEST_F(EngineInWorkerTest, ComesBackOnceAVanishedFileIsThereAgain) {
  start_engine();
  ASSERT_TRUE(wait_until_ready());
  const std::string elsewhere = file_.path() + ".away";
  std::filesystem::rename(file_.path(), elsewhere);
  const auto running = ask_greedy(4);
  ASSERT_TRUE(running->wait_for_end());
  EXPECT_EQ(running->finish(), FinishReason::kLength) << "what is loaded goes on";

  ::kill(static_cast<pid_t>(status().pid), SIGKILL);
  ASSERT_TRUE(wait_for_exit(ExitKind::kLoadFailed));
  std::filesystem::rename(elsewhere, file_.path());

  EXPECT_TRUE(wait_until_ready());
}

TEST_F(EngineInWorkerTest, FinishesWhatRunsWhenStopped) {
  start_engine();
  const auto heard = ask_greedy(20);
  ASSERT_TRUE(heard->wait_for_text());
  host_->stop();
  EXPECT_EQ(heard->finish(), FinishReason::kLength);
  EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace llama_gpu::supervisor
