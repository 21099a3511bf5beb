// SPDX-License-Identifier: Apache-2.0
#include "supervisor/engine_worker.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <thread>

#include "supervisor/engine_fake.h"
#include "supervisor/worker_life.h"

namespace llama_gpu::supervisor {
namespace {

using engine::FinishReason;
using engine::SequenceUpdate;
using testing::ElementsAre;

// A worker on a thread of the test, and the control plane's end of its socket.
class EngineWorkerTest : public testing::Test {
 protected:
  EngineWorkerTest() {
    std::array<int, 2> ends;
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_ = UniqueFd(ends[0]);
    its_ = UniqueFd(ends[1]);
    thread_ = std::thread([this] {
      EngineWorker worker(its_.get(),
                          [this](const auto& options, auto& listener) {
                            return FakeEngine::load(options, listener,
                                                    {{"gate", [this] { is_open_.wait(false); }}});
                          },
                          {.program_version = "test", .terminate_fd = terminate_.get()});
      exit_code_ = worker.run();
      ::shutdown(its_.get(), SHUT_RDWR);
    });
  }
  ~EngineWorkerTest() override {
    open_gate();
    wait_for_exit();
  }

  // Lets go of what tokenizes "!tokenize gate".
  void open_gate() {
    is_open_ = true;
    is_open_.notify_all();
  }

  void send_raw(const std::string& bytes) {
    ASSERT_EQ(::send(ours_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), std::ssize(bytes));
  }
  void send(uint64_t id, CallBody body) {
    send_raw(encode_frame(FrameKind::kControl, encode_call({id, std::move(body)}).value()).value());
  }
  void send_load(const std::string& path) {
    engine::EngineOptions options;
    options.model_path = path;
    send(1, LoadCall{"m", options});
  }
  void load_fake(const std::string& path = "fake") {
    send_load(path);
    EXPECT_TRUE(reply_to(1).ok());
  }
  void submit(uint64_t call_id, const std::string& prompt, int32_t num_choices = 1) {
    engine::GenerationRequest request;
    request.id = call_id;
    request.prompt = engine::TextPrompt{prompt, true, true};
    request.num_choices = num_choices;
    request.max_tokens = 3;
    send(call_id, SubmitCall{"m", request});
  }

  void submit_endless(uint64_t call_id, const std::string& prompt = "x") {
    engine::GenerationRequest request;
    request.id = call_id;
    request.prompt = engine::TextPrompt{prompt, true, true};
    request.max_tokens = 1'000'000'000;
    send(call_id, SubmitCall{"m", request});
  }

  // Reads until a reply to the call came.
  Result<ReplyBody> reply_to(uint64_t id) {
    while (!replies_.contains(id)) {
      if (!read_some()) return Error{ErrorCode::kInternal, "the worker hung up"};
    }
    return replies_.at(id);
  }
  // Reads until every choice of the request has finished.
  std::vector<SequenceUpdate> updates_of(engine::RequestId id, int32_t num_choices = 1) {
    const auto is_whole = [&] {
      return std::count_if(updates_[id].begin(), updates_[id].end(),
                           [](const auto& update) { return update.finish.has_value(); }) == num_choices;
    };
    while (!is_whole() && read_some()) {
    }
    return updates_[id];
  }
  // Reads until the request was refused or finished; whether that was because it was cancelled.
  bool ends_cancelled(engine::RequestId id) {
    const Result<ReplyBody> reply = reply_to(id);
    return reply.ok() ? updates_of(id).back().finish == FinishReason::kCancelled
                      : reply.error().code == ErrorCode::kCancelled;
  }
  bool read_some() {
    pollfd source{.fd = ours_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&source, 1, 20'000) != 1 || receive(ours_.get(), decoder_) == Received::kEnd) return false;
    for (auto frame = decoder_.next(); frame.value(); frame = decoder_.next()) take(*frame.value());
    return true;
  }
  void take(const Frame& frame) {
    if (frame.kind == FrameKind::kStep) {
      ++num_step_frames_;
      std::vector<SequenceUpdate> news = parse_step(frame.payload).value();
      for (SequenceUpdate& update : news) updates_[update.id].push_back(std::move(update));
      return;
    }
    const WorkerMessage message = parse_worker_message(frame.payload).value();
    if (const auto* stats = std::get_if<StatsNote>(&message)) {
      stats_.push_back(*stats);
    } else {
      replies_.emplace(std::get<Reply>(message).id, std::get<Reply>(message).body);
    }
  }
  int wait_for_exit() {
    if (thread_.joinable()) {
      ::shutdown(ours_.get(), SHUT_WR);
      while (read_some()) {
      }
      thread_.join();
    }
    return exit_code_;
  }
  int wait_for_exit_by_itself() {
    while (read_some()) {
    }
    thread_.join();
    return exit_code_;
  }

  UniqueFd ours_, its_;
  UniqueFd terminate_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  FrameDecoder decoder_;
  std::map<uint64_t, Result<ReplyBody>> replies_;
  std::map<engine::RequestId, std::vector<SequenceUpdate>> updates_;
  std::vector<StatsNote> stats_;
  int num_step_frames_ = 0;
  std::atomic<bool> is_open_ = false;
  std::atomic<int> exit_code_{-1};
  std::thread thread_;
};

TEST_F(EngineWorkerTest, GreetsLoadsAndAnswers) {
  send(7, HelloCall{kEngineProtocolVersion, "test"});
  EXPECT_EQ(std::get<HelloReply>(reply_to(7).value()).program, "test");
  send_load("fake");
  EXPECT_EQ(std::get<engine::ModelInfo>(reply_to(1).value()).architecture, "fake");

  send(2, TokenizeCall{"m", {"ab", true, true}});
  send(3, DetokenizeCall{"m", {104, 105}});
  send(4, ApplyTemplateCall{"m", {{{"user", "hi"}}, true}});
  send(5, TokenizeCall{"m", {"ab", true, true}, /*with_pieces=*/true});

  const auto plain = std::get<TokensReply>(reply_to(2).value()).text;
  EXPECT_THAT(plain.tokens, ElementsAre(97, 98));
  EXPECT_THAT(plain.pieces, testing::IsEmpty());
  EXPECT_EQ(std::get<TextReply>(reply_to(3).value()).text, "hi");
  EXPECT_EQ(std::get<TextReply>(reply_to(4).value()).text, "user: hi\n");
  EXPECT_THAT(std::get<TokensReply>(reply_to(5).value()).text.pieces, testing::SizeIs(2));
}

TEST_F(EngineWorkerTest, StreamsEveryChoiceAfterTheReceipt) {
  load_fake();

  submit(9, "hello", /*num_choices=*/2);
  const std::vector<SequenceUpdate> updates = updates_of(9, 2);

  EXPECT_EQ(std::get<engine::SubmitReceipt>(reply_to(9).value()).prompt_tokens.size(), 5U);
  ASSERT_EQ(updates.size(), 6U);
  EXPECT_EQ(updates[0].text, "t0 ");
  EXPECT_EQ(updates[5].choice, 1);
  EXPECT_EQ(updates[5].finish, FinishReason::kLength);
  EXPECT_EQ(num_step_frames_, 3) << "one frame for each step";
}

TEST_F(EngineWorkerTest, KeepsTheReceiptInFrontOfNewsThatCameWhileItSubmitted) {
  load_fake();
  for (uint64_t id = 10; id < 60; ++id) submit(id, "x");
  for (uint64_t id = 10; id < 60; ++id) {
    EXPECT_EQ(updates_of(id).size(), 3U);
    EXPECT_TRUE(replies_.contains(id)) << "news of " << id << " overtook its receipt";
  }
}

TEST_F(EngineWorkerTest, SaysWhyAModelCannotBeLoadedThenExitsWithItsCode) {
  send_load("fake:load_error=model_truncated");

  EXPECT_EQ(reply_to(1).error().code, ErrorCode::kModelTruncated);
  EXPECT_EQ(wait_for_exit_by_itself(), 66);
}

TEST_F(EngineWorkerTest, IsNotLoadedBeforeItHasProducedAToken) {
  send_load("fake:first_error=numeric_error");

  EXPECT_EQ(reply_to(1).error().code, ErrorCode::kNumericError);
  EXPECT_EQ(wait_for_exit_by_itself(), 1);
}

TEST_F(EngineWorkerTest, DoesNotCountTheTokenThatItTriesItselfWith) {
  load_fake();
  submit(2, "abcd");
  updates_of(2);
  while (stats_.back().stats.generated_tokens == 0) ASSERT_TRUE(read_some());
  EXPECT_EQ(stats_.back().stats.prompt_tokens, 4U);
  while (stats_.back().stats.generated_tokens < 3) ASSERT_TRUE(read_some());
  EXPECT_EQ(stats_.back().stats.generated_tokens, 3U);
}

TEST_F(EngineWorkerTest, RefusesToLoadTwice) {
  load_fake();
  send(5, LoadCall{"m", {}});
  EXPECT_EQ(reply_to(5).error().code, ErrorCode::kProtocolError);
  EXPECT_EQ(wait_for_exit_by_itself(), 70);
}

TEST_F(EngineWorkerTest, RefusesWorkBeforeItsModelIsLoaded) {
  send(2, TokenizeCall{"m", {"ab", true, true}});
  EXPECT_EQ(reply_to(2).error().code, ErrorCode::kModelLoading);
  submit(3, "x");
  EXPECT_EQ(reply_to(3).error().code, ErrorCode::kModelLoading);
}

TEST_F(EngineWorkerTest, PassesRefusalsOn) {
  load_fake();
  submit(3, "!refuse");
  const Result<ReplyBody> refused = reply_to(3);
  EXPECT_EQ(refused.error().code, ErrorCode::kContextLengthExceeded);
  EXPECT_EQ(refused.error().param, "prompt");
  send(4, DetokenizeCall{"m", {-1}});
  EXPECT_EQ(reply_to(4).error().code, ErrorCode::kInvalidValue);
}

TEST_F(EngineWorkerTest, TellsTheTextOfAPromptOfTokensWhereItIsWanted) {
  load_fake();
  engine::GenerationRequest request;
  request.id = 3;
  request.prompt = std::vector<TokenId>{'a', 'b'};
  request.max_tokens = 1;
  request.wants_prompt_text = true;
  send(3, SubmitCall{"m", request});
  EXPECT_EQ(std::get<engine::SubmitReceipt>(reply_to(3).value()).prompt_text, "ab");

  submit(4, "x");
  EXPECT_EQ(std::get<engine::SubmitReceipt>(reply_to(4).value()).prompt_text, std::nullopt);
  request.id = 5;
  request.prompt = std::vector<TokenId>{300};
  send(5, SubmitCall{"m", request});
  EXPECT_EQ(reply_to(5).error().code, ErrorCode::kInvalidValue);
}

TEST_F(EngineWorkerTest, CancelsWhatRuns) {
  load_fake("fake:step_ms=2");
  submit_endless(5);
  EXPECT_TRUE(reply_to(5).ok());

  send(0, CancelNote{"m", 404});
  send(0, CancelNote{"m", 5});

  EXPECT_EQ(updates_of(5).back().finish, FinishReason::kCancelled);
}

TEST_F(EngineWorkerTest, CancelsARequestWhereverItIsOnItsWay) {
  load_fake("fake:step_ms=2");
  // With both call threads held, as a rule, one is cancelled while it is submitted and one in the queue.
  submit(6, "!submit-ms 100");
  submit_endless(7, "!submit-ms 100");
  submit_endless(8);

  send(0, CancelNote{"m", 7});
  send(0, CancelNote{"m", 8});

  EXPECT_TRUE(ends_cancelled(7));
  EXPECT_TRUE(ends_cancelled(8));
  EXPECT_EQ(updates_of(6).back().finish, FinishReason::kLength);
}

TEST_F(EngineWorkerTest, KeepsNothingShortWaitingForALongText) {
  load_fake();
  const std::string long_text = "!tokenize gate " + std::string(64 << 10, 'x');
  send(2, TokenizeCall{"m", {long_text}});
  submit(3, long_text);

  submit(4, "short");
  send(5, TokenizeCall{"m", {"short"}});

  EXPECT_TRUE(reply_to(5).ok());
  EXPECT_EQ(updates_of(4).back().finish, FinishReason::kLength);
  EXPECT_FALSE(replies_.contains(2));
  EXPECT_FALSE(replies_.contains(3));
  open_gate();
  EXPECT_TRUE(reply_to(2).ok());
  EXPECT_EQ(updates_of(3).back().finish, FinishReason::kLength);
}

TEST_F(EngineWorkerTest, SendsItsFiguresAlsoWhileItLoads) {
  send_load("fake:load_ms=700");
  while (stats_.size() < 2) ASSERT_TRUE(read_some());
  EXPECT_FALSE(replies_.contains(1));
  EXPECT_GT(stats_[0].memory_bytes, 0U);
  EXPECT_TRUE(reply_to(1).ok());
  submit(2, "x");
  updates_of(2);
  while (stats_.back().stats.generated_tokens < 3) ASSERT_TRUE(read_some());
}

TEST_F(EngineWorkerTest, DrainsThenEnds) {
  load_fake("fake:step_ms=10");
  submit(2, "x");
  EXPECT_TRUE(reply_to(2).ok());

  send(0, StopNote{.drain = true});
  submit(3, "y");

  EXPECT_EQ(reply_to(3).error().code, ErrorCode::kShuttingDown);
  EXPECT_EQ(updates_of(2).back().finish, FinishReason::kLength);
  EXPECT_EQ(wait_for_exit_by_itself(), 0);
}

TEST_F(EngineWorkerTest, EndsAtOnceWhenToldTo) {
  load_fake("fake:step_ms=10000");
  submit(2, "x");
  EXPECT_TRUE(reply_to(2).ok());
  send(0, StopNote{.drain = false});
  EXPECT_EQ(wait_for_exit_by_itself(), 0);
}

TEST_F(EngineWorkerTest, DrainsAtTheFirstSignalAndEndsAtTheSecond) {
  load_fake("fake:step_ms=10000");
  submit(2, "x");
  EXPECT_TRUE(reply_to(2).ok());
  ::eventfd_write(terminate_.get(), 1);
  submit(3, "x");
  while (!replies_.contains(3)) {  // it may have been read in front of the signal
    ASSERT_TRUE(read_some());
  }
  ::eventfd_write(terminate_.get(), 1);
  EXPECT_EQ(wait_for_exit_by_itself(), kExitAfterSigterm);
}

TEST_F(EngineWorkerTest, EndsWithItsOwnCodeOnceItHasDrainedAtASignal) {
  load_fake("fake:step_ms=10");
  submit(2, "x");
  EXPECT_TRUE(reply_to(2).ok());
  ::eventfd_write(terminate_.get(), 1);
  EXPECT_EQ(updates_of(2).back().finish, FinishReason::kLength);
  EXPECT_EQ(wait_for_exit_by_itself(), kExitAfterSigterm);
}

TEST_F(EngineWorkerTest, EndsAtOnceWhileItLoads) {
  send_load("fake:load_ms=300");
  while (stats_.empty()) ASSERT_TRUE(read_some());
  ::eventfd_write(terminate_.get(), 1);
  EXPECT_EQ(wait_for_exit_by_itself(), kExitAfterSigterm);
}

TEST_F(EngineWorkerTest, EndsWhenTheControlPlaneIsGone) {
  load_fake("fake:step_ms=10000");
  submit(2, "x");
  EXPECT_EQ(wait_for_exit(), 70);
}

TEST_F(EngineWorkerTest, EndsWithAnErrorWhenTheControlPlaneBreaksTheProtocol) {
  send_raw(std::string(10, '\0'));
  EXPECT_EQ(wait_for_exit_by_itself(), 70);
}

TEST_F(EngineWorkerTest, EndsWithAnErrorAtAFrameOfTheWrongKind) {
  send_raw(encode_frame(FrameKind::kStep, encode_step({})).value());
  EXPECT_EQ(wait_for_exit_by_itself(), 70);
}

TEST_F(EngineWorkerTest, EndsWithAnErrorAtAMessageThatIsNone) {
  send_raw(encode_frame(FrameKind::kControl, "{}").value());
  EXPECT_EQ(wait_for_exit_by_itself(), 70);
}

TEST_F(EngineWorkerTest, FailsARequestWhoseNewsFitNoFrameAndKeepsTheOthers) {
  load_fake("fake:step_ms=5");
  submit(2, "!fat 20000000", /*num_choices=*/2);
  submit(3, "x");

  const std::vector<SequenceUpdate> updates = updates_of(2, 2);

  ASSERT_EQ(updates.size(), 2U);
  EXPECT_EQ(updates[0].finish, FinishReason::kError);
  EXPECT_EQ(updates[1].error->code, ErrorCode::kRequestTooLarge);
  EXPECT_EQ(updates_of(3).back().finish, FinishReason::kLength);
}

TEST_F(EngineWorkerTest, RefusesAnAnswerThatFitsNoFrame) {
  load_fake();
  engine::ChatPrompt chat;
  chat.messages.assign(3, {"user", std::string(5 << 20, 'x')});
  send(2, ApplyTemplateCall{"m", chat});
  chat.messages.push_back({"user", "more"});

  // 15 MiB are sent and fit; as many tokens do not.
  EXPECT_TRUE(reply_to(2).ok());
  send(3, TokenizeCall{"m", {std::string(5 << 20, 'x'), true, true}});
  EXPECT_EQ(reply_to(3).error().code, ErrorCode::kRequestTooLarge);
}

TEST_F(EngineWorkerTest, WaitsWithItsNewsWhileNobodyReads) {
  load_fake();
  constexpr int kRequests = 12;
  for (uint64_t id = 2; id < 2 + kRequests; ++id) submit(id, "!fat 4000000");

  // 144 MB are on their way, more than the worker keeps: its engine waits for the reader.
  for (uint64_t id = 2; id < 2 + kRequests; ++id) EXPECT_EQ(updates_of(id).size(), 3U);
}

}  // namespace
}  // namespace llama_gpu::supervisor
