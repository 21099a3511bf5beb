// SPDX-License-Identifier: Apache-2.0
// The host with real processes: signals, kills and lies.
#include "supervisor/supervised_model_host.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

#include "supervisor/model_host_fixture.h"
#include "support/scratch_file.h"

namespace llama_gpu::supervisor {
namespace {

using testing::HasSubstr;

size_t num_open_fds() {
  const auto folder = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(folder), end(folder)));
}

TEST_F(SupervisedModelHostTest, AnswersFromAWorkerProcess) {
  start_ready();

  expect_answers();

  EXPECT_NE(status().pid, ::getpid());
  EXPECT_GT(status().pid, 0);
  EXPECT_EQ(status().state, WorkerState::kReady);
  EXPECT_EQ(status().restarts, 0);
  EXPECT_GT(status().since_unix_seconds, 1'600'000'000);
  EXPECT_EQ(host_->find_model("m")->info->architecture, "fake");
  EXPECT_TRUE(eventually([&] { return status().stats.generated_tokens == 16 && status().memory_bytes > 0; }));
}

TEST_F(SupervisedModelHostTest, ServesSeveralModelsByIdAndAlias) {
  ModelSpec first = model("fake", "one"), second = model("fake", "two");
  second.aliases = {"zwei"};
  start({first, second}, options());

  for (const std::string name : {"one", "two", "zwei"}) {
    const auto heard = ask("hi", 2, name);
    ASSERT_TRUE(heard->wait_for_end());
    EXPECT_EQ(heard->text(), "t0 t1 ");
  }
  ASSERT_TRUE(wait_until_ready("one"));
  EXPECT_EQ(host_->models().size(), 2U);
  EXPECT_EQ(host_->find_model("zwei")->id, "two");
  EXPECT_NE(host_->workers()[0].pid, host_->workers()[1].pid);
  EXPECT_EQ(host_->workers()[1].id, "engine-1");
}

TEST_F(SupervisedModelHostTest, RefusesTwoModelsOfOneName) {
  ModelSpec other = model("fake", "n");
  other.aliases = {"m"};
  EXPECT_EQ(SupervisedModelHost::start({model(), other}, options()).error().code, ErrorCode::kInvalidValue);
}

TEST_F(SupervisedModelHostTest, SaysThatAModelIsNotServed) {
  start_ready();
  const auto heard = ask("hi", 2, "mm");
  ASSERT_TRUE(heard->wait_for_end());
  EXPECT_EQ(heard->error()->code, ErrorCode::kModelNotFound);
  EXPECT_EQ(heard->error()->param, "model");
  EXPECT_FALSE(host_->find_model("mm").has_value());
}

TEST_F(SupervisedModelHostTest, AnswersWhatNeedsNoGeneration) {
  start_ready();
  std::promise<std::vector<TokenId>> tokens;
  std::promise<std::string> text, rendered;
  host_->tokenize("m", {"ab", true, true}, /*with_pieces=*/false,
                  [&](auto result) { tokens.set_value(result.value().tokens); });
  host_->detokenize("m", {104, 105}, [&](auto result) { text.set_value(result.value()); });
  host_->apply_template("m", {{{"user", "hi"}}, true},
                        [&](auto result) { rendered.set_value(result.value()); });

  EXPECT_THAT(tokens.get_future().get(), testing::ElementsAre(97, 98));
  EXPECT_EQ(text.get_future().get(), "hi");
  EXPECT_EQ(rendered.get_future().get(), "user: hi\n");
}

TEST_F(SupervisedModelHostTest, TakesBackACallForATextThatWaits) {
  start({model("fake:load_ms=300")}, options());
  ASSERT_TRUE(eventually([&] { return status().pid > 0; }));
  // However slow this test is, the worker answers nothing before the call is taken back.
  const pid_t pid = static_cast<pid_t>(status().pid);
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  std::atomic<bool> was_answered = false;
  const engine::RequestId id = host_->tokenize("m", {"ab", true, true}, /*with_pieces=*/false,
                                               [&](const auto&) { was_answered = true; });
  host_->cancel(id);
  ASSERT_EQ(::kill(pid, SIGCONT), 0);
  expect_answers();

  EXPECT_FALSE(was_answered);
}

TEST_F(SupervisedModelHostTest, RefusesATextThatCannotBeSent) {
  start_ready();
  EXPECT_TRUE(ask("\xff")->wait_for_end());
  const auto broken = ask("\xff");
  ASSERT_TRUE(broken->wait_for_end());
  EXPECT_EQ(broken->error()->code, ErrorCode::kInvalidValue);
  const auto huge = ask(std::string(17 << 20, 'x'));
  ASSERT_TRUE(huge->wait_for_end());
  EXPECT_EQ(huge->error()->code, ErrorCode::kRequestTooLarge);
  expect_answers();
}

TEST_F(SupervisedModelHostTest, EndsEightBegunStreamsWithAnErrorWhenTheWorkerIsKilledAndComesBack) {
  start_ready("fake:step_ms=5");
  const auto streams = ask_many(8, 1'000'000);
  for (const auto& stream : streams) ASSERT_TRUE(stream->wait_for_text());
  const int64_t first_pid = status().pid;

  ::kill(static_cast<pid_t>(first_pid), SIGKILL);

  for (const auto& stream : streams) {
    ASSERT_TRUE(stream->wait_for_end());
    ASSERT_TRUE(stream->error().has_value());
    EXPECT_EQ(stream->error()->code, ErrorCode::kWorkerFailed);
  }
  ASSERT_TRUE(wait_until_ready());
  EXPECT_NE(status().pid, first_pid);
  EXPECT_EQ(status().restarts, 1);
  EXPECT_EQ(status().last_exit->kind, ExitKind::kCrashed);
  EXPECT_EQ(status().last_exit->signal, SIGKILL);
  EXPECT_THAT(status().last_exit->log_tail, HasSubstr("test worker in mode serve"));
  expect_answers();
}

TEST_F(SupervisedModelHostTest, SendsWhatHadNotBegunToTheNextWorker) {
  start_ready();
  const auto pid = static_cast<pid_t>(status().pid);
  ::kill(pid, SIGSTOP);
  const auto streams = ask_many(8, 2);

  ::kill(pid, SIGKILL);

  for (const auto& stream : streams) {
    ASSERT_TRUE(stream->wait_for_end());
    EXPECT_EQ(stream->text(), "t0 t1 ");
    EXPECT_EQ(stream->num_accepted(), 1);
  }
  EXPECT_EQ(status().restarts, 1);
}

TEST_F(SupervisedModelHostTest, IsNotReadyFromTheMomentItsWorkerIsGone) {
  ModelHostOptions slow = options();
  slow.policy.first_backoff = slow.policy.longest_backoff = 60s;
  start({model()}, slow);
  ASSERT_TRUE(wait_until_ready());

  ::kill(static_cast<pid_t>(status().pid), SIGKILL);

  ASSERT_TRUE(wait_for_state(WorkerState::kBackoff));
  EXPECT_FALSE(host_->find_model("m")->is_ready);
  EXPECT_EQ(status().pid, 0);
}

TEST_F(SupervisedModelHostTest, LetsRequestsWaitWhileTheModelLoads) {
  start({model("fake:load_ms=300")}, options());
  const auto heard = ask("hi", 2);
  EXPECT_FALSE(host_->find_model("m")->is_ready);
  ASSERT_TRUE(heard->wait_for_end());
  EXPECT_EQ(heard->text(), "t0 t1 ");
}

TEST_F(SupervisedModelHostTest, SendsAllThatWaitedForTheModelThoughItIsMoreThanTheConnectionTakesAtOnce) {
  ModelHostOptions narrow = options();
  narrow.max_sending_bytes = size_t{256} << 10;
  start({model("fake:load_ms=300")}, narrow);
  std::vector<std::shared_ptr<Heard>> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(ask(std::string(200 << 10, 'x'), 2));
    all.push_back(ask(std::string(50 << 10, 'x'), 2));
  }
  for (const auto& heard : all) {
    ASSERT_TRUE(heard->wait_for_end());
    EXPECT_EQ(heard->text(), "t0 t1 ") << heard->error().value_or(Error{}).message;
  }
}

TEST_F(SupervisedModelHostTest, LetsNoRequestWaitForEver) {
  ModelHostOptions impatient = options();
  impatient.limits.longest_wait = 50ms;
  start({model("fake:load_ms=3000")}, impatient);
  const auto heard = ask("hi", 2);
  ASSERT_TRUE(heard->wait_for_end());
  EXPECT_EQ(heard->error()->code, ErrorCode::kModelLoading);
}

TEST_F(SupervisedModelHostTest, TellsACrashAnExitAndAFailedLoadApart) {
  start_ready();
  ASSERT_TRUE(ask("!signal 6 3")->wait_for_end());
  ASSERT_TRUE(wait_for_exit(ExitKind::kCrashed));
  EXPECT_EQ(status().last_exit->signal, SIGABRT);

  ASSERT_TRUE(wait_until_ready());
  ASSERT_TRUE(ask("!exit 3 3")->wait_for_end());
  ASSERT_TRUE(eventually([&] { return status().last_exit->exit_code == 3; }));

  ASSERT_TRUE(wait_until_ready());
  ASSERT_TRUE(ask("!exit 71 3")->wait_for_end());
  ASSERT_TRUE(wait_for_exit(ExitKind::kOutOfMemory));

  start({model("fake:load_error=model_invalid")}, options());
  ASSERT_TRUE(wait_for_state(WorkerState::kFailed));
  EXPECT_EQ(status().last_exit->kind, ExitKind::kLoadFailed);
  EXPECT_THAT(status().last_exit->message, HasSubstr("cannot be loaded"));
  EXPECT_EQ(status().restarts, 0);
  const auto late = ask("hi");
  ASSERT_TRUE(late->wait_for_end());
  EXPECT_EQ(late->error()->code, ErrorCode::kWorkerFailed);
}

TEST_F(SupervisedModelHostTest, FailsARequestThatCrashesTwoWorkersAndServesTheOthers) {
  start_ready();
  const auto poison = ask("!signal 6 0");
  ASSERT_TRUE(poison->wait_for_end());
  EXPECT_EQ(poison->error()->code, ErrorCode::kWorkerFailed);
  ASSERT_TRUE(eventually([&] { return status().restarts == 2; }));
  expect_answers();
}

TEST_F(SupervisedModelHostTest, GoesOnWithAWorkerThatCrashesWheneverItStarts) {
  start({model("fake:load_signal=6")}, options());
  ASSERT_TRUE(eventually([&] { return status().restarts >= 8; }));
  EXPECT_EQ(status().last_exit->signal, SIGABRT);
  EXPECT_NE(status().state, WorkerState::kFailed);
}

TEST_F(SupervisedModelHostTest, ReplacesAWorkerThatIsStopped) {
  ModelHostOptions watchful = options();
  watchful.policy.unready_silence = 700ms;
  watchful.policy.hung_silence = 1'000ms;
  start({model()}, watchful);
  ASSERT_TRUE(wait_until_ready());
  const auto pid = static_cast<pid_t>(status().pid);

  ::kill(pid, SIGSTOP);

  ASSERT_TRUE(wait_for_exit(ExitKind::kHung));
  EXPECT_THAT(status().last_exit->message, HasSubstr("no heartbeat"));
  ASSERT_TRUE(wait_until_ready());
  EXPECT_NE(status().pid, pid);
  expect_answers();
}

TEST_F(SupervisedModelHostTest, IsNotReadyWhileItsWorkerIsStoppedAndReadyOnceItGoesOn) {
  ModelHostOptions watchful = options();
  watchful.policy.unready_silence = 700ms;
  start({model()}, watchful);
  ASSERT_TRUE(wait_until_ready());
  const auto pid = static_cast<pid_t>(status().pid);

  ::kill(pid, SIGSTOP);
  ASSERT_TRUE(eventually([&] { return !host_->find_model("m")->is_ready; }));
  ::kill(pid, SIGCONT);

  ASSERT_TRUE(wait_until_ready());
  EXPECT_EQ(status().pid, pid);
}

TEST_F(SupervisedModelHostTest, ReplacesAWorkerWhoseEngineHangs) {
  ModelHostOptions watchful = options();
  watchful.policy.stalled_step = 500ms;
  start({model()}, watchful);
  ASSERT_TRUE(wait_until_ready());

  const auto heard = ask("!hang 2");

  ASSERT_TRUE(heard->wait_for_end());
  EXPECT_EQ(heard->error()->code, ErrorCode::kWorkerFailed);
  EXPECT_EQ(status().last_exit->kind, ExitKind::kHung);
  expect_answers();
}

TEST_F(SupervisedModelHostTest, LetsALoadedEngineCatchThatThereIsNoMemoryAndKnowsAWorkerThatDoesNot) {
  start_ready();
  const auto caught = ask("!call new_throws", 2);
  ASSERT_TRUE(caught->wait_for_end());
  EXPECT_EQ(caught->text(), "t0 t1 ");

  const auto uncaught = ask("!call no_memory", 2);
  ASSERT_TRUE(uncaught->wait_for_end());

  EXPECT_EQ(uncaught->error()->code, ErrorCode::kWorkerFailed);
  ASSERT_TRUE(wait_for_exit(ExitKind::kOutOfMemory));
  EXPECT_EQ(status().last_exit->signal, 0);
  ASSERT_TRUE(wait_until_ready());
}

TEST_F(SupervisedModelHostTest, KillsAWorkerThatBreaksTheProtocol) {
  start_ready();
  int64_t restarts = 0;
  for (const std::string name : {"junk", "gigabyte", "unasked"}) {
    const auto heard = ask("!call " + name, 1'000'000);
    ASSERT_TRUE(heard->wait_for_end());
    EXPECT_EQ(heard->error()->code, ErrorCode::kWorkerFailed) << name;
    ASSERT_TRUE(eventually([&] { return status().restarts > restarts; }));
    ASSERT_TRUE(wait_until_ready()) << name;
    EXPECT_EQ(status().last_exit->kind, ExitKind::kCrashed);
    EXPECT_FALSE(status().last_exit->message.empty());
    restarts = status().restarts;
  }
  expect_answers();
}

TEST_F(SupervisedModelHostTest, ReplacesAWorkerThatHangsUp) {
  start_ready();
  const auto heard = ask("!call close", 1'000'000);
  ASSERT_TRUE(heard->wait_for_end());
  ASSERT_TRUE(wait_until_ready());
  expect_answers();
}

TEST_F(SupervisedModelHostTest, SurvivesAWorkerThatTalksWithoutEnd) {
  start_ready();
  const auto heard = ask("!call chatter", 2);
  ASSERT_TRUE(heard->wait_for_end());
  EXPECT_EQ(heard->text(), "t0 t1 ");
  ASSERT_TRUE(ask("!exit 3 0")->wait_for_end());
  EXPECT_LE(status().last_exit->log_tail.size(), 4096U);
}

TEST_F(SupervisedModelHostTest, KillsAWorkerOfAnotherVersionAndOneThatSaysNothing) {
  start({model()}, options({"serve", "0.0.1"}));
  ASSERT_TRUE(wait_for_exit(ExitKind::kCrashed));
  EXPECT_THAT(status().last_exit->message, HasSubstr("version 0.0.1"));

  ModelHostOptions mute = options({"mute"});
  mute.policy.handshake_timeout = 100ms;
  start({model()}, mute);
  ASSERT_TRUE(wait_for_exit(ExitKind::kHung));
  EXPECT_THAT(status().last_exit->message, HasSubstr("hello"));
}

TEST_F(SupervisedModelHostTest, StartsAWorkerOnceTheProgramIsThere) {
  const test_support::ScratchFile program;
  ModelHostOptions missing = options();
  missing.command.program = program.path();
  start({model()}, missing);
  ASSERT_TRUE(eventually([&] { return status().restarts >= 8; }));
  EXPECT_EQ(status().last_exit->kind, ExitKind::kNotStarted);
  EXPECT_THAT(status().last_exit->message, HasSubstr("cannot start a worker process"));

  std::filesystem::create_symlink(LLAMAGPU_TEST_WORKER, program.path());

  ASSERT_TRUE(wait_until_ready());
  expect_answers();
}

TEST_F(SupervisedModelHostTest, LetsAWorkerFinishThatSomebodyElseToldToStop) {
  start_ready("fake:step_ms=20");
  const auto running = ask("stream", 100);
  ASSERT_TRUE(running->wait_for_text());

  ::kill(static_cast<pid_t>(status().pid), SIGTERM);
  const auto next = ask("stream", 2);
  ASSERT_TRUE(wait_for_state(WorkerState::kDraining));
  EXPECT_FALSE(host_->find_model("m")->is_ready);

  ASSERT_TRUE(running->wait_for_end());
  EXPECT_EQ(running->finish(), FinishReason::kLength);
  ASSERT_TRUE(next->wait_for_end());
  EXPECT_EQ(next->text(), "t0 t1 ");
  ASSERT_TRUE(eventually([&] { return status().restarts == 1; }));
  EXPECT_EQ(status().last_exit->kind, ExitKind::kStopped);
}

TEST_F(SupervisedModelHostTest, FreesAPlaceWhenARequestIsCancelled) {
  start_ready("fake:step_ms=2");
  const auto heard = ask("stream", 1'000'000);
  ASSERT_TRUE(heard->wait_for_text());

  host_->cancel(last_request_);

  EXPECT_TRUE(eventually([&] { return status().stats.running == 0 && status().stats.generated_tokens > 0; }));
  EXPECT_FALSE(heard->error().has_value());
  EXPECT_FALSE(heard->finish().has_value());
}

TEST_F(SupervisedModelHostTest, FinishesWhatRunsWhenItIsStoppedThenRefuses) {
  start_ready("fake:step_ms=20");
  const auto heard = ask("stream", 10);
  ASSERT_TRUE(heard->wait_for_text());

  host_->stop();

  EXPECT_EQ(heard->finish(), FinishReason::kLength);
  EXPECT_EQ(status().state, WorkerState::kStopped);
  EXPECT_EQ(status().last_exit->kind, ExitKind::kStopped);
  EXPECT_FALSE(has_children());
  const auto late = ask("hi");
  EXPECT_EQ(late->error()->code, ErrorCode::kShuttingDown);
}

TEST_F(SupervisedModelHostTest, StartsNoWorkerAgainThatIsToldToStopWithTheServer) {
  start_ready("fake:step_ms=20");
  const auto heard = ask("stream", 10);
  ASSERT_TRUE(heard->wait_for_text());

  // As when the whole process group gets SIGTERM.
  host_->begin_drain();
  ::kill(static_cast<pid_t>(status().pid), SIGTERM);

  ASSERT_TRUE(heard->wait_for_end());
  EXPECT_EQ(heard->finish(), FinishReason::kLength);
  ASSERT_TRUE(wait_for_state(WorkerState::kStopped));
  EXPECT_EQ(status().restarts, 0);
}

TEST_F(SupervisedModelHostTest, FailsWhatStillRunsAtTheDeadlineOfAStop) {
  ModelHostOptions hasty = options();
  hasty.policy.drain_timeout = 50ms;
  start({model("fake:step_ms=10")}, hasty);
  const auto heard = ask("stream", 1'000'000);
  ASSERT_TRUE(heard->wait_for_text());

  host_->stop();

  EXPECT_EQ(heard->error()->code, ErrorCode::kShuttingDown);
  EXPECT_FALSE(has_children());
}

TEST_F(SupervisedModelHostTest, KillsWhatRunsAndWhatItWaitsForAlready) {
  ModelHostOptions patient = options();
  patient.policy.drain_timeout = patient.policy.kill_grace = 600s;
  start({model("fake:step_ms=10")}, patient);
  const auto heard = ask("stream", 1'000'000);
  ASSERT_TRUE(heard->wait_for_text());
  std::thread stopping([&] { host_->stop(); });
  ASSERT_TRUE(wait_for_state(WorkerState::kDraining));

  host_->kill();
  stopping.join();

  EXPECT_EQ(heard->error()->code, ErrorCode::kShuttingDown);
  EXPECT_FALSE(has_children());
  host_->kill();
}

TEST_F(SupervisedModelHostTest, StopsWorkersInEveryState) {
  ModelHostOptions quick = options();
  quick.policy.drain_timeout = quick.policy.kill_grace = 100ms;
  start({model("fake:load_ms=60000")}, quick);
  ASSERT_TRUE(wait_for_state(WorkerState::kLoading));
  host_->stop();
  EXPECT_FALSE(has_children());

  quick.command.arguments = {"test_worker", "mute"};
  start({model()}, quick);
  ASSERT_TRUE(eventually([&] { return status().pid > 0; }));
  host_->stop();
  EXPECT_FALSE(has_children());

  quick.command.arguments = {"test_worker", "exit"};
  quick.policy.first_backoff = quick.policy.longest_crash_backoff = 60s;
  start({model()}, quick);
  ASSERT_TRUE(wait_for_state(WorkerState::kBackoff));
  EXPECT_EQ(status().last_exit->exit_code, 3);
  host_->stop();
  EXPECT_EQ(status().state, WorkerState::kStopped);
}

TEST_F(SupervisedModelHostTest, LeavesNoDescriptorAndNoChildOverFiftyRestarts) {
  ModelHostOptions quick = options();
  quick.policy.longest_backoff = 1ms;
  start({model()}, quick);
  ASSERT_TRUE(wait_until_ready());
  const size_t fds = num_open_fds();
  const auto num_threads = [] {
    const auto folder = std::filesystem::directory_iterator("/proc/self/task");
    return std::distance(begin(folder), end(folder));
  };
  const auto threads = num_threads();

  for (int i = 1; i <= 50; ++i) {
    ::kill(static_cast<pid_t>(status().pid), SIGKILL);
    ASSERT_TRUE(eventually([&] { return status().restarts == i && status().is_ready; })) << i;
  }

  EXPECT_EQ(num_open_fds(), fds);
  EXPECT_EQ(num_threads(), threads);
  host_.reset();
  EXPECT_FALSE(has_children());
}

TEST_F(SupervisedModelHostTest, TakesItsWorkersWithItWhenItIsKilled) {
  // A process between us and the worker: it starts a host, says the worker's pid, and waits to be killed.
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t middle = ::fork();
  if (middle == 0) {
    auto host = SupervisedModelHost::start({model()}, options()).value();
    while (!host->find_model("m")->is_ready) std::this_thread::sleep_for(1ms);
    const int64_t pid = host->workers()[0].pid;
    [[maybe_unused]] const ssize_t written = ::write(ends[1], &pid, sizeof(pid));
    for (;;) ::pause();
  }
  int64_t worker = 0;
  ASSERT_EQ(::read(ends[0], &worker, sizeof(worker)), std::ssize(std::string(sizeof(worker), ' ')));
  ::close(ends[0]);
  ::close(ends[1]);

  ::kill(middle, SIGKILL);
  ::waitpid(middle, nullptr, 0);

  // Whoever adopted it may not have reaped it yet: a zombie counts as gone.
  EXPECT_TRUE(eventually([&] {
    std::ifstream file("/proc/" + std::to_string(worker) + "/stat");
    std::string stat;
    return !std::getline(file, stat) || stat.find(") Z ") != std::string::npos;
  }));
}

}  // namespace
}  // namespace llama_gpu::supervisor
