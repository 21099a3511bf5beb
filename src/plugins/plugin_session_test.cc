// SPDX-License-Identifier: Apache-2.0
// The session alone: its worker is this test, its time stands still.
#include "plugins/plugin_session.h"

#include <gmock/gmock.h>
#include <signal.h>

#include "base/clock_fake.h"

namespace llama_gpu::plugins {
namespace {

using namespace std::chrono_literals;
using supervisor::ExitKind;
using supervisor::FrameKind;
using supervisor::WorkerExit;
using supervisor::WorkerState;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Keeps what is sent and reported.
class PluginLink final : public supervisor::WorkerLink {
 public:
  Status send(std::string_view frame) override {
    if (is_full) return Error{ErrorCode::kOverloaded, "full"};
    return send_always(frame), Status();
  }
  void send_always(std::string_view frame) override {
    supervisor::FrameDecoder decoder;
    decoder.append(frame);
    sent.push_back(Json::parse(decoder.next().value()->payload));
  }
  void report_greeted() override { reports.emplace_back("greeted"); }
  void report_loaded() override { reports.emplace_back("loaded"); }
  void report_load_failed(const Error& error) override { reports.push_back("load failed: " + error.message); }
  void report_heartbeat(bool, uint64_t) override { ++num_heartbeats; }
  void report_draining() override {}
  void report_file_changed() override {}
  void report_fault(const Error& error) override { reports.push_back("fault: " + error.message); }

  bool is_full = false;
  int num_heartbeats = 0;
  std::vector<Json> sent;
  std::vector<std::string> reports;
};

// Keeps what a session tells.
class PluginDiary final : public PluginSession::Listener {
 public:
  void on_starting() override { steps.emplace_back("starting"); }
  void on_probing() override { steps.emplace_back("probing"); }
  void on_active() override { steps.emplace_back("active"); }
  void on_ended(const PluginEnd& end) override {
    steps.push_back("ended: " + end.reason_code + ": " + end.reason);
  }
  void on_health(const std::string& failing) override { steps.push_back("health: " + failing); }
  void on_log(const PluginLogLine& line) override { steps.push_back(line.level + ": " + line.message); }
  void on_stderr(const std::string& line, bool is_first) override {
    steps.push_back((is_first ? "first line: " : "line: ") + line);
  }
  void on_call(double seconds, bool has_failed) override {
    busy_seconds += seconds;
    steps.emplace_back(has_failed ? "call failed" : "call");
  }

  double busy_seconds = 0;
  std::vector<std::string> steps;
};

class PluginSessionTest : public testing::Test {
 protected:
  PluginSessionTest() : session_(plugin(), diary_, clock_) {
    session_.attach(link_);
    session_.on_spawned();
  }

  static PluginSession::Plugin plugin() {
    PluginSession::Plugin plugin;
    plugin.manifest.id = "acme/guard";
    plugin.manifest.version = parse_version("1.0.0").value();
    plugin.manifest.capabilities = {Capability::kRequestFilter};
    plugin.manifest.limits.call_timeout = 1s;
    plugin.manifest.limits.start_timeout = 2s;
    plugin.manifest.limits.concurrent_calls = 2;
    plugin.config = R"({"mask":"x"})";
    plugin.data_folder = "/data";
    return plugin;
  }

  Status say(const std::string& payload) { return session_.on_frame({FrameKind::kControl, payload}); }
  Status answer(const Json& id, const Json& result) {
    return say(Json{{"jsonrpc", "2.0"}, {"id", id}, {"result", result}}.dump());
  }
  Status answer_last(const Json& result) { return answer(link_.sent.back()["id"], result); }
  Status fail_last() {
    return say(Json{{"jsonrpc", "2.0"},
                    {"id", link_.sent.back()["id"]},
                    {"error", {{"code", -1}, {"message", "it broke"}}}}
                   .dump());
  }
  void greet() {
    ASSERT_TRUE(answer_last({{"protocol", 1}, {"capabilities", {"request_filter"}}}).ok());
    session_.on_load();
  }
  void activate() {
    greet();
    ASSERT_TRUE(answer_last({{"ok", true}}).ok());
    session_.on_ready();
    ASSERT_TRUE(session_.is_active());
  }
  void call(const std::string& prompt = "hi") {
    session_.filter_request({"r1", "m", FilterableText(prompt)},
                            [this](const Result<FilterVerdict>& verdict) {
                              answers_.push_back(verdict.ok() ? "ok" : verdict.error().message);
                            });
  }
  void tick(SteadyTime::duration duration = 0s) {
    clock_.advance(duration);
    session_.on_tick(clock_.now());
  }
  std::string method(size_t from_last = 0) const {
    return link_.sent.at(link_.sent.size() - 1 - from_last)["method"];
  }
  void exit(WorkerExit how, WorkerState next = WorkerState::kBackoff) {
    session_.on_exit(how, next, /*was_its_fault=*/true);
  }

  FakeClock clock_;
  PluginLink link_;
  PluginDiary diary_;
  PluginSession session_;
  std::vector<std::string> answers_;
};

TEST_F(PluginSessionTest, GreetsThenTestsThenServes) {
  EXPECT_EQ(method(), "initialize");
  EXPECT_EQ(link_.sent[0]["params"]["config"]["mask"], "x");
  EXPECT_EQ(link_.sent[0]["params"]["data_folder"], "/data");
  greet();
  EXPECT_EQ(method(), "self_test");
  ASSERT_TRUE(answer_last({{"ok", true}}).ok());
  EXPECT_FALSE(session_.is_active());
  session_.on_ready();

  EXPECT_TRUE(session_.is_active());
  EXPECT_THAT(link_.reports, ElementsAre("greeted", "loaded"));
  EXPECT_THAT(diary_.steps, ElementsAre("starting", "probing", "active"));
  EXPECT_EQ(link_.num_heartbeats, 2);
}

TEST_F(PluginSessionTest, SaysWhyAGreetingFailed) {
  ASSERT_TRUE(fail_last().ok());
  EXPECT_THAT(link_.reports.at(0), HasSubstr("load failed: "));
  EXPECT_THAT(link_.reports.at(0), HasSubstr("it broke"));
  EXPECT_EQ(method(), "shutdown");
  // What it still says counts for nothing.
  EXPECT_TRUE(say("garbage").ok());
  exit({.kind = ExitKind::kLoadFailed});
  EXPECT_THAT(diary_.steps.back(), HasSubstr("ended: start_failed: "));
}

TEST_F(PluginSessionTest, RefusesAnotherProtocol) {
  ASSERT_TRUE(answer_last({{"protocol", 99}, {"capabilities", Json::array()}}).ok());
  EXPECT_THAT(link_.reports, ElementsAre(HasSubstr("load failed: ")));
}

TEST_F(PluginSessionTest, SaysWhyASelfTestFailed) {
  greet();
  ASSERT_TRUE(answer_last({{"ok", false}, {"reason", "no teeth"}}).ok());
  EXPECT_THAT(link_.reports.back(), HasSubstr("no teeth"));
  exit({.kind = ExitKind::kLoadFailed});
  EXPECT_THAT(diary_.steps.back(), HasSubstr("ended: self_test_failed: "));
  EXPECT_THAT(diary_.steps.back(), HasSubstr("no teeth"));
}

TEST_F(PluginSessionTest, StartsAgainWithACleanSheet) {
  greet();
  ASSERT_TRUE(fail_last().ok());
  exit({.kind = ExitKind::kLoadFailed});
  session_.on_spawned();
  activate();
  call();
  ASSERT_TRUE(answer_last({{"action", "pass"}}).ok());
  EXPECT_THAT(answers_, ElementsAre("ok"));
}

TEST_F(PluginSessionTest, AsksAndCountsCalls) {
  activate();
  call();
  EXPECT_EQ(method(), "request_filter");
  EXPECT_EQ(link_.sent.back()["params"]["deadline_ms"], 1'000);
  EXPECT_EQ(session_.num_open_calls(), 1U);
  clock_.advance(250ms);
  ASSERT_TRUE(answer_last({{"action", "pass"}}).ok());
  call();
  ASSERT_TRUE(fail_last().ok());

  EXPECT_THAT(answers_, ElementsAre("ok", HasSubstr("it broke")));
  EXPECT_EQ(session_.cost().calls, 2U);
  EXPECT_EQ(session_.cost().failures, 1U);
  EXPECT_DOUBLE_EQ(session_.cost().busy_seconds, 0.25);
  EXPECT_DOUBLE_EQ(diary_.busy_seconds, 0.25);
  EXPECT_EQ(session_.num_open_calls(), 0U);
}

TEST_F(PluginSessionTest, LetsCallsWaitForItsFirstStartAndNoOther) {
  call();
  EXPECT_EQ(session_.until_next_tick(), 1s);
  clock_.advance(500ms);
  call();
  tick(500ms);
  EXPECT_THAT(answers_, ElementsAre("it has not started yet"));
  activate();
  ASSERT_TRUE(answer_last({{"action", "pass"}}).ok());
  EXPECT_THAT(answers_, ElementsAre("it has not started yet", "ok"));

  exit({.kind = ExitKind::kCrashed, .signal = SIGSEGV});
  call();
  EXPECT_EQ(answers_.back(), "it does not run now");
}

TEST_F(PluginSessionTest, FailsCallsThatWaitForAStartThatFails) {
  call();
  exit({.exit_code = 3});
  EXPECT_THAT(answers_, ElementsAre("it exited with code 3"));
}

TEST_F(PluginSessionTest, LetsCallsWaitForTheirTurnAndRefusesMore) {
  activate();
  for (int i = 0; i < 5; ++i) call();
  EXPECT_THAT(answers_, ElementsAre(HasSubstr("more calls than it can hold")));
  EXPECT_EQ(session_.num_open_calls(), 4U);
  EXPECT_EQ(link_.sent.size(), 4U);  // two of them calls

  const Json first = link_.sent[2]["id"], second = link_.sent[3]["id"];
  ASSERT_TRUE(answer(second, {{"action", "pass"}}).ok());
  EXPECT_EQ(link_.sent.size(), 5U);
  ASSERT_TRUE(answer(first, {{"action", "pass"}}).ok());
  ASSERT_TRUE(answer(link_.sent[4]["id"], {{"action", "pass"}}).ok());
  ASSERT_TRUE(answer(link_.sent[5]["id"], {{"action", "pass"}}).ok());
  EXPECT_EQ(answers_.size(), 5U);
  EXPECT_EQ(session_.num_open_calls(), 0U);
}

TEST_F(PluginSessionTest, WaitsForRoomOnTheSocket) {
  activate();
  link_.is_full = true;
  call();
  session_.tell("{}");
  EXPECT_EQ(link_.sent.size(), 2U);
  link_.is_full = false;
  session_.on_room();
  EXPECT_EQ(method(), "request_filter");
  session_.tell(R"({"sequence":1})");
  EXPECT_EQ(method(), "event");
}

TEST_F(PluginSessionTest, RefusesWhatNoMessageCanHold) {
  activate();
  call(std::string(size_t{17} << 20, 'x'));
  EXPECT_EQ(answers_.size(), 1U);
  call();
  ASSERT_TRUE(answer_last({{"action", "pass"}}).ok());
  EXPECT_EQ(answers_.back(), "ok");
}

TEST_F(PluginSessionTest, EndsTheProcessWhoseCallIsLateAndFailsAllCalls) {
  activate();
  call();
  clock_.advance(500ms);
  call();
  call();  // waits
  EXPECT_EQ(session_.until_next_tick(), 500ms);
  tick(500ms);
  EXPECT_EQ(link_.reports.size(), 2U);  // its answer may be on its way
  tick(20ms);

  EXPECT_THAT(link_.reports.back(), HasSubstr("fault: it did not answer within"));
  EXPECT_THAT(answers_, ElementsAre(HasSubstr("did not answer within"), HasSubstr("it was ended"),
                                    HasSubstr("it was ended")));
  EXPECT_FALSE(session_.is_active());
  exit({.kind = ExitKind::kCrashed, .signal = SIGKILL});
  EXPECT_THAT(diary_.steps.back(), HasSubstr("ended: timed_out: it did not answer within"));
}

TEST_F(PluginSessionTest, TakesAnAnswerThatLayInTheSocket) {
  activate();
  call();
  tick(1s);
  ASSERT_TRUE(answer(link_.sent.at(2)["id"], {{"action", "pass"}}).ok());
  tick(1s);
  EXPECT_THAT(answers_, ElementsAre("ok"));
  EXPECT_THAT(link_.reports, ElementsAre("greeted", "loaded"));
}

TEST_F(PluginSessionTest, BlamesNobodyForTimeInWhichTheServerDidNotRun) {
  activate();
  tick();
  call();
  tick(1h);
  tick(20ms);
  EXPECT_THAT(answers_, ElementsAre(HasSubstr("did not answer")));
  answers_.clear();
  exit({.kind = ExitKind::kCrashed, .signal = SIGKILL});
  session_.on_spawned();
  activate();
  tick();
  clock_.advance(500ms);
  call();
  tick(1h);
  EXPECT_THAT(answers_, IsEmpty());
}

TEST_F(PluginSessionTest, FailsOpenCallsWhenTheProcessEnds) {
  activate();
  for (int i = 0; i < 3; ++i) call();
  exit({.kind = ExitKind::kCrashed, .signal = SIGSEGV});
  EXPECT_THAT(answers_,
              ElementsAre("it was ended by SIGSEGV", "it was ended by SIGSEGV", "it was ended by SIGSEGV"));
  EXPECT_THAT(diary_.steps, Contains("ended: crashed: it was ended by SIGSEGV"));
}

TEST_F(PluginSessionTest, SaysHowAProcessEnded) {
  const auto reason = [&](WorkerExit how) {
    session_.on_spawned();
    exit(std::move(how));
    return diary_.steps.back();
  };
  EXPECT_EQ(reason({.exit_code = 3}), "ended: start_failed: it exited with code 3");
  EXPECT_EQ(reason({.exit_code = 0}), "ended: start_failed: it exited by itself");
  EXPECT_EQ(reason({.kind = ExitKind::kHung}), "ended: start_failed: it did not say hello within 2.0 s");
  EXPECT_EQ(reason({.kind = ExitKind::kStopped}), "ended: stopped: it was told to stop");
  EXPECT_EQ(reason({.kind = ExitKind::kOutOfMemory, .signal = SIGKILL}),
            "ended: start_failed: there was not enough memory");
  EXPECT_EQ(reason({.kind = ExitKind::kNotStarted, .message = "no such program"}),
            "ended: start_failed: no such program");
  EXPECT_EQ(reason({.kind = ExitKind::kCrashed, .signal = SIGKILL, .message = "a frame of 1 GiB"}),
            "ended: protocol_broken: a frame of 1 GiB");
  EXPECT_EQ(reason({.signal = 63}), "ended: start_failed: it was ended by signal 63");
  session_.on_spawned();
  greet();
  exit({.kind = ExitKind::kHung});
  EXPECT_EQ(diary_.steps.back(), "ended: self_test_failed: it did not end its self-test within 2.0 s");
  session_.on_spawned();
  activate();
  exit({.kind = ExitKind::kHung, .message = "no heartbeat"});
  EXPECT_EQ(diary_.steps.back(), "ended: timed_out: no heartbeat");
}

TEST_F(PluginSessionTest, EndsAWorkerThatBreaksTheProtocol) {
  activate();
  for (const std::string& payload :
       {std::string("{"), std::string(R"({"jsonrpc":"2.0","id":77,"result":{}})"),
        std::string(R"({"jsonrpc":"2.0","id":0,"result":{}})")}) {
    const Status status = say(payload);
    ASSERT_FALSE(status.ok()) << payload;
    EXPECT_EQ(status.error().code, ErrorCode::kProtocolError);
    EXPECT_FALSE(session_.is_active());
    exit({.kind = ExitKind::kCrashed, .signal = SIGKILL});
    EXPECT_THAT(diary_.steps.back(), HasSubstr("ended: protocol_broken: "));
    session_.on_spawned();
    activate();
  }
  EXPECT_FALSE(session_.on_frame({FrameKind::kStep, "x"}).ok());
}

TEST_F(PluginSessionTest, EndsAWorkerWhoseVerdictMakesNoSense) {
  activate();
  call();
  EXPECT_FALSE(answer_last({{"action", "perhaps"}}).ok());
  EXPECT_EQ(answers_.size(), 1U);
  EXPECT_FALSE(session_.is_active());
}

TEST_F(PluginSessionTest, AsksForHealthEachSecond) {
  activate();
  tick(900ms);
  EXPECT_EQ(method(), "self_test");
  tick(100ms);
  EXPECT_EQ(method(), "health");
  tick(5s);
  EXPECT_EQ(method(1), "self_test");  // one question at a time
  ASSERT_TRUE(answer_last({{"status", "failing"}, {"reason", "full"}}).ok());
  EXPECT_THAT(diary_.steps.back(), AllOf(HasSubstr("health: "), HasSubstr("full")));
  tick(1s);
  ASSERT_TRUE(answer_last({{"status", "failing"}}).ok());
  EXPECT_THAT(diary_.steps.back(), HasSubstr("no reason"));
  tick(1s);
  ASSERT_TRUE(fail_last().ok());
  EXPECT_THAT(diary_.steps.back(), HasSubstr("health: "));
  tick(1s);
  ASSERT_TRUE(answer_last({{"status", "ok"}}).ok());
  EXPECT_EQ(diary_.steps.back(), "health: ");
  const size_t num_steps = diary_.steps.size();
  tick(1s);
  ASSERT_TRUE(answer_last({{"status", "ok"}}).ok());
  EXPECT_EQ(diary_.steps.size(), num_steps);  // only changes
  tick(1s);
  EXPECT_FALSE(answer_last({{"status", "dead"}}).ok());
}

TEST_F(PluginSessionTest, HandsOnWhatItLogs) {
  ASSERT_TRUE(say(R"({"jsonrpc":"2.0","method":"log","params":{"level":"warning","message":"hm"}})").ok());
  session_.on_log_line("a");
  session_.on_log_line("b");
  EXPECT_THAT(diary_.steps, ElementsAre("starting", "warning: hm", "first line: a", "line: b"));
}

TEST_F(PluginSessionTest, FinishesCallsBeforeItTellsTheProcessToEnd) {
  activate();
  for (int i = 0; i < 3; ++i) call();
  session_.on_drain();
  tick();
  EXPECT_EQ(method(), "request_filter");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(answer(link_.sent.at(2 + static_cast<size_t>(i))["id"], {{"action", "pass"}}).ok());
  }
  tick();
  EXPECT_EQ(method(), "shutdown");
  EXPECT_THAT(answers_, ElementsAre("ok", "ok", "ok"));
  call();
  EXPECT_EQ(answers_.back(), "it does not run now");

  // It does not end.
  tick(1s);
  tick(1s);
  EXPECT_THAT(link_.reports.back(), HasSubstr("fault: it did not end within"));
  tick(1s);
  EXPECT_EQ(link_.reports.size(), 3U);
}

TEST_F(PluginSessionTest, TellsAnIdleProcessToEndAtOnce) {
  activate();
  session_.on_drain();
  EXPECT_EQ(method(), "shutdown");
  tick();
  exit({.kind = ExitKind::kStopped}, WorkerState::kStopped);
  EXPECT_EQ(diary_.steps.back(), "ended: stopped: it was told to stop");
}

TEST_F(PluginSessionTest, ShowsItsMemoryWhileAProcessRuns) {
  supervisor::WorkerStatus status;
  session_.describe(status);
  EXPECT_EQ(status.memory_bytes, 0U);
  status.pid = ::getpid();
  session_.describe(status);
  EXPECT_GT(status.memory_bytes, 0U);
}

TEST(PluginSession, FailsWhereItsConfigIsTooLargeForAMessage) {
  FakeClock clock;
  PluginLink link;
  PluginDiary diary;
  PluginSession::Plugin plugin;
  plugin.config = "{\"x\":\"" + std::string(size_t{17} << 20, 'x') + "\"}";
  PluginSession session(plugin, diary, clock);
  session.attach(link);
  session.on_spawned();
  EXPECT_THAT(link.reports, ElementsAre(HasSubstr("load failed: ")));
}

}  // namespace
}  // namespace llama_gpu::plugins
