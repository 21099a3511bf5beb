// SPDX-License-Identifier: Apache-2.0
#include "supervisor/engine_client.h"

#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <semaphore>
#include <thread>

#include "base/clock_fake.h"

namespace llama_gpu::supervisor {
namespace {

using namespace std::chrono_literals;
using engine::FinishReason;
using engine::SequenceUpdate;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Keeps what the client sends and reports.
class FakeLink final : public WorkerLink {
 public:
  Status send(std::string_view frame) override {
    if (is_full) return Error{ErrorCode::kOverloaded, "full"};
    return send_always(frame), Status();
  }
  void send_always(std::string_view frame) override {
    FrameDecoder decoder;
    decoder.append(frame);
    sent.push_back(parse_call(decoder.next().value()->payload).value());
  }
  void report_greeted() override { reports.push_back("greeted"); }
  void report_loaded() override { reports.push_back("loaded"); }
  void report_draining() override { reports.push_back("draining"); }
  void report_file_changed() override { reports.push_back("file_changed"); }
  void report_fault(const Error& error) override { reports.push_back("fault: " + error.message); }
  void report_load_failed(const Error& error) override { reports.push_back("load_failed: " + error.message); }
  void report_heartbeat(bool is_busy, uint64_t progress) override {
    reports.push_back((is_busy ? "busy " : "idle ") + std::to_string(progress));
  }

  bool is_full = false;
  std::vector<Call> sent;
  std::vector<std::string> reports;
};

// Keeps what a request hears.
class Heard final : public GenerationObserver {
 public:
  void on_accepted(const engine::SubmitReceipt&) override { events.push_back("accepted"); }
  void on_update(const SequenceUpdate& update) override {
    events.push_back(update.text + (update.finish ? "!" : ""));
  }
  void on_failed(const Error& error) override {
    events.push_back("failed: " + std::string(error_code_info(error.code).name));
    last_error = error;
  }

  std::vector<std::string> events;
  Error last_error;
};

class EngineClientTest : public testing::Test {
 protected:
  EngineClientTest() { client_.attach(link_); }

  void become_ready() {
    client_.on_spawned();
    ASSERT_TRUE(reply(link_.sent.back().id, ReplyBody(HelloReply{kEngineProtocolVersion, "test", 1})).ok());
    client_.on_load();
    ASSERT_TRUE(reply(link_.sent.back().id, ReplyBody(engine::ModelInfo{})).ok());
    link_.sent.clear();
    client_.on_ready();
  }
  void worker_ends(int signal = SIGSEGV, WorkerState next = WorkerState::kBackoff) {
    client_.on_exit({.kind = ExitKind::kCrashed, .signal = signal}, next,
                    /*was_its_fault=*/signal != SIGKILL);
  }
  std::shared_ptr<Heard> start_request(engine::RequestId id, int32_t num_choices = 1,
                                       const std::string& prompt = "") {
    auto heard = std::make_shared<Heard>();
    engine::GenerationRequest request;
    request.id = id;
    request.num_choices = num_choices;
    request.prompt = engine::TextPrompt{prompt};
    EngineJob job = make_job(SubmitCall{"m", std::move(request)});
    job.observer = heard;
    job.request = id;
    job.num_choices = num_choices;
    call_of_[id] = job.call_id;
    client_.start(std::move(job));
    return heard;
  }
  EngineJob make_job(CallBody body) {
    EngineJob job;
    job.lane = lane_of(body);
    job.call_id = client_.next_call_id();
    job.frame =
        encode_frame(FrameKind::kControl, encode_call({job.call_id, std::move(body)}).value()).value();
    return job;
  }
  // Lets a text call come; its answer goes to `answers_`. Returns its call.
  uint64_t start_text(engine::RequestId id, size_t size_bytes = 1) {
    EngineJob job = make_job(ApplyTemplateCall{"m", {{{"user", std::string(size_bytes, 'x')}}}});
    job.request = id;
    job.done = [this, id](const Result<ReplyBody>& body) {
      answers_.push_back(std::to_string(id) + ": " +
                         (body.ok() ? std::get<TextReply>(body.value()).text
                                    : std::string(error_code_info(body.error().code).name)));
    };
    const uint64_t call_id = job.call_id;
    client_.start(std::move(job));
    return call_id;
  }
  Status say(const WorkerMessage& message) {
    return client_.on_frame({FrameKind::kControl, encode_worker_message(message).value()});
  }
  Status reply(uint64_t call_id, Result<ReplyBody> body) { return say(Reply{call_id, std::move(body)}); }
  Status accept(engine::RequestId id) {
    return reply(call_of_[id], ReplyBody(engine::SubmitReceipt{id, {1, 2}}));
  }
  Status give(engine::RequestId id, const std::string& text, std::optional<FinishReason> finish = {},
              int32_t choice = 0) {
    SequenceUpdate update;
    update.id = id;
    update.choice = choice;
    update.text = text;
    update.finish = finish;
    return client_.on_frame({FrameKind::kStep, encode_step(std::span(&update, 1))});
  }
  void pass(std::chrono::milliseconds time) {
    clock_.advance(time);
    client_.on_tick(clock_.now());
  }

  static engine::EngineOptions few_requests() {
    engine::EngineOptions options;
    options.max_requests = 4;
    return options;
  }

  FakeClock clock_;
  FakeLink link_;
  std::map<engine::RequestId, uint64_t> call_of_;
  std::vector<std::string> answers_;
  EngineClient client_{
      {.id = "m", .aliases = {}, .created_unix_seconds = 0, .options = few_requests()},
      "test",
      {.max_held_bytes = 10'000, .max_texts = 3, .max_text_bytes = 8'000, .longest_wait = 30s},
      clock_};
};

TEST_F(EngineClientTest, GreetsThenLoadsThenIsReady) {
  client_.on_spawned();
  EXPECT_EQ(std::get<HelloCall>(link_.sent.at(0).body).program, "test");
  ASSERT_TRUE(reply(link_.sent[0].id, ReplyBody(HelloReply{kEngineProtocolVersion, "test", 1})).ok());
  client_.on_load();
  EXPECT_EQ(std::get<LoadCall>(link_.sent.at(1).body).model, "m");
  engine::ModelInfo info;
  info.vocab_size = 7;
  ASSERT_TRUE(reply(link_.sent[1].id, ReplyBody(info)).ok());

  EXPECT_THAT(link_.reports, ElementsAre("greeted", "loaded"));
  EXPECT_EQ(client_.info()->vocab_size, 7);
}

TEST_F(EngineClientTest, ReportsALoadThatFailed) {
  client_.on_spawned();
  client_.on_load();
  ASSERT_TRUE(reply(link_.sent[1].id, Error{ErrorCode::kModelInvalid, "no magic"}).ok());
  EXPECT_THAT(link_.reports, ElementsAre("load_failed: no magic"));
}

TEST_F(EngineClientTest, RefusesAWorkerOfAnotherVersion) {
  for (const HelloReply& hello :
       {HelloReply{kEngineProtocolVersion + 1, "test", 1}, HelloReply{kEngineProtocolVersion, "older", 1}}) {
    client_.on_spawned();
    const Status refused = reply(link_.sent.back().id, ReplyBody(hello));
    ASSERT_FALSE(refused.ok());
    EXPECT_THAT(refused.error().message, HasSubstr(hello.program));
    EXPECT_THAT(refused.error().message, HasSubstr("version test"));
  }
}

TEST_F(EngineClientTest, HandsEverythingOnInOrder) {
  become_ready();
  const auto heard = start_request(5, /*num_choices=*/2);
  ASSERT_TRUE(accept(5).ok());
  ASSERT_TRUE(give(5, "a").ok());
  ASSERT_TRUE(give(5, "b", FinishReason::kStop, 1).ok());
  ASSERT_TRUE(give(5, "c", FinishReason::kStop).ok());

  EXPECT_THAT(heard->events, ElementsAre("accepted", "a", "b!", "c!"));
  ASSERT_TRUE(give(5, "late").ok());  // of a request that is over: ignored
  EXPECT_EQ(heard->events.size(), 4U);
}

TEST_F(EngineClientTest, PassesARefusalOn) {
  become_ready();
  const auto heard = start_request(5);
  ASSERT_TRUE(reply(call_of_[5], Error{ErrorCode::kContextLengthExceeded, "too long"}).ok());
  EXPECT_THAT(heard->events, ElementsAre("failed: context_length_exceeded"));
}

TEST_F(EngineClientTest, AnswersOtherCallsOnce) {
  become_ready();
  const uint64_t id = start_text(1);

  ASSERT_TRUE(reply(id, ReplyBody(TextReply{"hi"})).ok());

  EXPECT_THAT(answers_, ElementsAre("1: hi"));
  EXPECT_EQ(reply(id, ReplyBody(TextReply{"hi"})).error().code, ErrorCode::kProtocolError);
}

TEST_F(EngineClientTest, FailsWhatHasBegunAndSendsTheRestToTheNextWorker) {
  become_ready();
  const auto begun = start_request(1), accepted = start_request(2), sent = start_request(3);
  ASSERT_TRUE(accept(1).ok());
  ASSERT_TRUE(accept(2).ok());
  ASSERT_TRUE(give(1, "half of it").ok());
  ASSERT_TRUE(give(2, "").ok());  // no output yet

  worker_ends(SIGKILL);

  EXPECT_THAT(begun->events, ElementsAre("accepted", "half of it", "failed: worker_failed"));
  EXPECT_THAT(begun->last_error.message, HasSubstr("signal 9"));
  EXPECT_THAT(sent->events, IsEmpty());
  become_ready();
  ASSERT_EQ(link_.sent.size(), 2U);
  EXPECT_EQ(std::get<SubmitCall>(link_.sent[0].body).request.id, 2U);
  EXPECT_EQ(std::get<SubmitCall>(link_.sent[1].body).request.id, 3U);
  for (const engine::RequestId id : {2, 3}) {
    ASSERT_TRUE(accept(id).ok());
    ASSERT_TRUE(give(id, "whole", FinishReason::kStop).ok());
  }
  EXPECT_THAT(accepted->events, ElementsAre("accepted", "", "whole!"));
  EXPECT_THAT(sent->events, ElementsAre("accepted", "whole!"));
}

TEST_F(EngineClientTest, DoesNotSendARequestToAThirdWorkerAfterTwoThatEndedByThemselves) {
  become_ready();
  const auto heard = start_request(1);
  worker_ends(SIGSEGV);
  become_ready();
  EXPECT_THAT(heard->events, IsEmpty());

  worker_ends(SIGSEGV);

  EXPECT_THAT(heard->events, ElementsAre("failed: worker_failed"));
}

TEST_F(EngineClientTest, DoesNotBlameARequestForKillsFromOutside) {
  become_ready();
  const auto heard = start_request(1);
  for (int i = 0; i < 5; ++i) {
    worker_ends(SIGKILL);
    become_ready();
  }
  EXPECT_THAT(heard->events, IsEmpty());
}

TEST_F(EngineClientTest, LetsRequestsWaitForAModelThatLoadsButNotForEver) {
  const auto heard = start_request(1);
  pass(29s);
  EXPECT_THAT(heard->events, IsEmpty());
  pass(1s);
  EXPECT_THAT(heard->events, ElementsAre("failed: model_loading"));
}

TEST_F(EngineClientTest, LetsRequestsWaitForAWorkerThatRestartsButNotForEver) {
  become_ready();
  const auto heard = start_request(1);
  worker_ends(SIGKILL);
  pass(30s);
  EXPECT_THAT(heard->events, ElementsAre("failed: worker_failed"));
}

TEST_F(EngineClientTest, LetsWhatIsSentRunAsLongAsItTakes) {
  become_ready();
  const auto heard = start_request(1);
  pass(1h);
  EXPECT_THAT(heard->events, IsEmpty());
}

TEST_F(EngineClientTest, FailsEverythingOnceTheWorkerIsGivenUp) {
  const auto waiting = start_request(1);
  worker_ends(SIGSEGV, WorkerState::kFailed);
  const auto late = start_request(2);

  EXPECT_THAT(waiting->events, ElementsAre("failed: worker_failed"));
  EXPECT_THAT(late->events, ElementsAre("failed: worker_failed"));
}

TEST_F(EngineClientTest, SaysWhatHelpsAModelThatCannotBeLoaded) {
  const auto hint_after = [&](ErrorCode code) {
    client_.on_spawned();
    client_.on_load();
    EXPECT_TRUE(reply(link_.sent.back().id, Error{code, "no"}).ok());
    client_.on_exit({.kind = ExitKind::kLoadFailed}, WorkerState::kFailed, /*was_its_fault=*/true);
    return start_request(1)->last_error.hint;
  };
  EXPECT_THAT(hint_after(ErrorCode::kModelInvalid), HasSubstr("once its file has changed"));
  EXPECT_THAT(hint_after(ErrorCode::kConfigInvalid), HasSubstr("correct the settings"));
  EXPECT_THAT(hint_after(ErrorCode::kInvalidValue), HasSubstr("correct the settings"));
}

// A file whose looks a test can wait for.
struct WatchedFile {
  std::atomic<uint64_t> size_bytes = 1;
  std::counting_semaphore<> looks{0};
};

TEST_F(EngineClientTest, LooksForAnotherFileWhileTheModelCannotBeLoaded) {
  const auto file = std::make_shared<WatchedFile>();
  ModelSpec spec{.id = "m", .aliases = {}, .created_unix_seconds = 0, .options = {}};
  spec.look_at_file = [file](const std::string&) {
    const FileStamp seen{.exists = true, .size_bytes = file->size_bytes};
    file->looks.release();
    return seen;
  };
  EngineClient client(spec, "test", {}, clock_);
  client.attach(link_);
  const auto pass_two_seconds = [&] {
    clock_.advance(2s);
    client.on_tick(clock_.now());
    std::this_thread::sleep_for(1ms);  // for the thread that looks
  };
  client.on_spawned();
  file->looks.acquire();
  client.on_load();
  client.on_exit({.kind = ExitKind::kLoadFailed}, WorkerState::kFailed, /*was_its_fault=*/true);

  while (!file->looks.try_acquire()) pass_two_seconds();
  EXPECT_THAT(link_.reports, IsEmpty());
  file->size_bytes = 2;
  while (link_.reports.empty()) pass_two_seconds();

  EXPECT_THAT(link_.reports, ElementsAre("file_changed"));
  client.on_spawned();
  file->size_bytes = 3;
  for (int i = 0; i < 10; ++i) pass_two_seconds();
  EXPECT_EQ(link_.reports.size(), 1U) << "nobody looks while it is tried";
}

TEST_F(EngineClientTest, RefusesMoreThanItCanHold) {
  std::vector<std::shared_ptr<Heard>> held;
  for (engine::RequestId id = 1; id <= 4; ++id) held.push_back(start_request(id));
  EXPECT_THAT(start_request(5)->events, ElementsAre("failed: overloaded"));
  for (const auto& heard : held) EXPECT_THAT(heard->events, IsEmpty());
}

TEST_F(EngineClientTest, RefusesMoreBytesThanItCanHoldUntilSomeHaveBegun) {
  become_ready();
  const std::string prompt(4000, 'x');
  start_request(1, 1, prompt);
  start_request(2, 1, prompt);
  EXPECT_THAT(start_request(3, 1, prompt)->events, ElementsAre("failed: overloaded"));
  ASSERT_TRUE(accept(1).ok());
  ASSERT_TRUE(give(1, "begun").ok());
  EXPECT_THAT(start_request(4, 1, prompt)->events, IsEmpty());
}

TEST_F(EngineClientTest, HoldsFewerTextsThanRequestsInBytesAndNumber) {
  start_text(1, 3000);
  start_text(2, 6000);
  EXPECT_THAT(answers_, ElementsAre("2: overloaded"));
  for (const engine::RequestId id : {3, 4, 5}) start_text(id);
  EXPECT_THAT(answers_, ElementsAre("2: overloaded", "5: overloaded"));
  EXPECT_THAT(start_request(6)->events, IsEmpty());
}

TEST_F(EngineClientTest, SendsFewTextsAtOnceAndDropsThoseWhoseClientLeft) {
  become_ready();
  const uint64_t first = start_text(1);
  start_text(2);
  start_text(3);
  start_request(4);
  ASSERT_EQ(link_.sent.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<SubmitCall>(link_.sent[2].body));

  client_.cancel(1);
  client_.cancel(3);
  const uint64_t last = start_text(5);
  ASSERT_EQ(link_.sent.size(), 3U) << "no word of what was taken back";
  ASSERT_TRUE(reply(first, ReplyBody(TextReply{"late"})).ok());

  EXPECT_THAT(answers_, IsEmpty());
  ASSERT_EQ(link_.sent.size(), 4U);
  ASSERT_TRUE(reply(last, ReplyBody(TextReply{"x"})).ok());
  EXPECT_THAT(answers_, ElementsAre("5: x"));
}

TEST_F(EngineClientTest, KeepsWhatTheConnectionDoesNotTakeUntilItDoes) {
  const auto waiting = start_request(1);
  link_.is_full = true;
  become_ready();
  const auto late = start_request(2);
  EXPECT_THAT(link_.sent, IsEmpty());

  link_.is_full = false;
  client_.on_room();

  EXPECT_EQ(link_.sent.size(), 2U);
  EXPECT_THAT(waiting->events, IsEmpty());
  EXPECT_THAT(late->events, IsEmpty());
}

TEST_F(EngineClientTest, LetsNothingWaitForEverForTheConnection) {
  become_ready();
  link_.is_full = true;
  const auto heard = start_request(1);
  pass(30s);
  EXPECT_THAT(heard->events, ElementsAre("failed: overloaded"));
  EXPECT_THAT(heard->last_error.message, HasSubstr("not taken within 30 s"));
}

TEST_F(EngineClientTest, CancelsAndHearsNothingMore) {
  become_ready();
  const auto queued = start_request(1), running = start_request(2);
  ASSERT_TRUE(accept(2).ok());
  link_.sent.clear();

  client_.cancel(1);
  client_.cancel(2);
  client_.cancel(404);

  ASSERT_EQ(link_.sent.size(), 2U);
  EXPECT_EQ(std::get<CancelNote>(link_.sent[0].body).request, 1U);
  EXPECT_EQ(std::get<CancelNote>(link_.sent[1].body).request, 2U);
  EXPECT_TRUE(accept(1).ok());
  EXPECT_TRUE(give(2, "on its way").ok());
  EXPECT_TRUE(give(2, "", FinishReason::kCancelled).ok());
  EXPECT_THAT(queued->events, IsEmpty());
  EXPECT_THAT(running->events, ElementsAre("accepted"));
}

TEST_F(EngineClientTest, CancelsWhatWaitsWithoutAWord) {
  const auto heard = start_request(1);
  client_.cancel(1);
  become_ready();
  EXPECT_THAT(link_.sent, IsEmpty());
  EXPECT_THAT(heard->events, IsEmpty());
}

TEST_F(EngineClientTest, RefusesNewRequestsWhileItDrainsAndFinishesThoseThatRun) {
  become_ready();
  const auto running = start_request(1);
  client_.begin_drain();
  EXPECT_THAT(start_request(2)->events, ElementsAre("failed: shutting_down"));
  client_.on_drain();
  EXPECT_TRUE(std::get<StopNote>(link_.sent.back().body).drain);
  ASSERT_TRUE(accept(1).ok());
  ASSERT_TRUE(give(1, "done", FinishReason::kStop).ok());
  EXPECT_THAT(running->events, ElementsAre("accepted", "done!"));
}

TEST_F(EngineClientTest, RefusesWhatWaitsWhenItDrainsAndWhatRunsWhenItStops) {
  const auto waiting = start_request(1);
  client_.begin_drain();
  EXPECT_THAT(waiting->events, ElementsAre("failed: shutting_down"));
}

TEST_F(EngineClientTest, FailsWhatStillRunsWhenTheWorkerStopped) {
  become_ready();
  const auto running = start_request(1);
  worker_ends(0, WorkerState::kStopped);
  EXPECT_THAT(running->events, ElementsAre("failed: shutting_down"));
}

TEST_F(EngineClientTest, KeepsARequestForTheNextWorkerWhenThisOneWasToldToStopByOthers) {
  become_ready();
  const auto heard = start_request(1);
  link_.reports.clear();
  ASSERT_TRUE(reply(call_of_[1], Error{ErrorCode::kShuttingDown, "stopping"}).ok());
  EXPECT_THAT(heard->events, IsEmpty());
  EXPECT_THAT(link_.reports, ElementsAre("draining"));
  EXPECT_EQ(link_.sent.size(), 1U) << "it is not asked again";
  worker_ends(0);
  become_ready();
  EXPECT_EQ(link_.sent.size(), 1U);
}

TEST_F(EngineClientTest, SendsNothingToAWorkerThatSaysItDrains) {
  become_ready();
  StatsNote note;
  note.is_draining = true;
  link_.reports.clear();

  ASSERT_TRUE(say(note).ok());
  const auto heard = start_request(1);

  EXPECT_THAT(link_.reports, ElementsAre("idle 0", "draining"));
  EXPECT_THAT(link_.sent, IsEmpty());
  pass(30s);
  EXPECT_THAT(heard->events, ElementsAre("failed: worker_failed"));
}

TEST_F(EngineClientTest, CountsOnOverRestarts) {
  become_ready();
  StatsNote note;
  note.stats.generated_tokens = 10;
  note.stats.running = 2;
  note.memory_bytes = 99;
  ASSERT_TRUE(say(note).ok());
  worker_ends();
  WorkerStatus between;
  client_.describe(between);
  become_ready();
  note.stats.generated_tokens = 1;
  ASSERT_TRUE(say(note).ok());
  WorkerStatus after;
  client_.describe(after);

  EXPECT_EQ(between.stats.generated_tokens, 10U);
  EXPECT_EQ(between.stats.running, 0);
  EXPECT_EQ(between.memory_bytes, 0U);
  EXPECT_EQ(after.stats.generated_tokens, 11U);
  EXPECT_EQ(after.stats.running, 2);
  EXPECT_EQ(after.model, "m");
}

TEST_F(EngineClientTest, CountsWhatItHoldsBackAsWaitingSequences) {
  const auto num_waiting = [&] {
    WorkerStatus status;
    client_.describe(status);
    return status.stats.waiting;
  };
  start_request(1);
  start_request(2, /*num_choices=*/3);
  start_text(3);
  EXPECT_EQ(num_waiting(), 4);

  become_ready();
  EXPECT_EQ(num_waiting(), 0);
  StatsNote note;
  note.stats.waiting = 2;
  ASSERT_TRUE(say(note).ok());
  link_.is_full = true;
  start_request(4);

  EXPECT_EQ(num_waiting(), 3);
}

TEST_F(EngineClientTest, ReportsAWorkerAsBusyWhileARequestIsAccepted) {
  become_ready();
  link_.reports.clear();
  StatsNote note;
  note.stats.steps = 4;
  ASSERT_TRUE(say(note).ok());
  start_request(1);
  ASSERT_TRUE(accept(1).ok());
  ASSERT_TRUE(say(note).ok());
  EXPECT_THAT(link_.reports, ElementsAre("idle 4", "busy 4"));
}

TEST_F(EngineClientTest, TakesNothingThatBreaksTheProtocol) {
  become_ready();
  start_request(1);
  start_request(2);
  const auto is_broken = [](const Status& status) {
    return !status.ok() && status.error().code == ErrorCode::kProtocolError;
  };

  EXPECT_TRUE(is_broken(give(1, "before its receipt")));
  EXPECT_TRUE(is_broken(reply(404, ReplyBody(TextReply{}))));
  EXPECT_TRUE(is_broken(reply(call_of_[1], ReplyBody(TextReply{"not a receipt"}))));
  EXPECT_TRUE(is_broken(reply(call_of_[2], ReplyBody(engine::SubmitReceipt{1, {}}))));
  EXPECT_TRUE(is_broken(client_.on_frame({FrameKind::kControl, "junk"})));
  EXPECT_TRUE(is_broken(client_.on_frame({FrameKind::kStep, "junk"})));
}

TEST_F(EngineClientTest, TakesNoNewsOfAChoiceThatIsOverOrWasNeverAskedFor) {
  become_ready();
  const auto heard = start_request(1, /*num_choices=*/2);
  ASSERT_TRUE(accept(1).ok());
  ASSERT_TRUE(give(1, "a", FinishReason::kStop, 0).ok());
  for (const int32_t choice : {0, 2, -1}) EXPECT_FALSE(give(1, "x", {}, choice).ok()) << choice;
  EXPECT_THAT(heard->events, ElementsAre("accepted", "a!"));
}

TEST_F(EngineClientTest, TakesNoOtherAnswerForHelloOrLoad) {
  client_.on_spawned();
  EXPECT_FALSE(reply(link_.sent.back().id, ReplyBody(TextReply{})).ok());
  client_.on_spawned();
  EXPECT_FALSE(reply(link_.sent.back().id, Error{ErrorCode::kInternal, "no"}).ok());
  client_.on_load();
  EXPECT_FALSE(reply(link_.sent.back().id, ReplyBody(TextReply{})).ok());
}

}  // namespace
}  // namespace llama_gpu::supervisor
