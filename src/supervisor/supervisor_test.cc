// SPDX-License-Identifier: Apache-2.0
// Workers that come and go while others run.
#include "supervisor/supervisor.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <atomic>
#include <future>
#include <memory>

#include "supervisor/model_host_fixture.h"

namespace llama_gpu::supervisor {
namespace {

// Takes every process for a worker that is ready at once.
class TrustingSession final : public WorkerSession {
 public:
  void attach(WorkerLink& link) override { link_ = &link; }
  void on_spawned() override { link_->report_greeted(); }
  void on_load() override { link_->report_loaded(); }
  void on_ready() override { is_ready_ = true; }
  void on_room() override {}
  Status on_frame(const Frame&) override { return {}; }
  void on_drain() override {
    if (ends_late_) link_->report_fault({ErrorCode::kWorkerFailed, "it shall end"});
  }
  void on_exit(const WorkerExit& exit, WorkerState, bool) override {
    last_kind_ = exit.kind;
    ++num_exits_;
  }
  void on_tick(SteadyTime) override { ++num_calls_; }
  void describe(WorkerStatus&) const override {}
  void on_log_line(const std::string&) override { ++num_lines_; }

  bool ends_late_ = false;
  std::atomic<bool> is_ready_{false};
  std::atomic<int> num_exits_{0}, num_calls_{0}, num_lines_{0};
  std::atomic<ExitKind> last_kind_{ExitKind::kStopped};

 private:
  WorkerLink* link_ = nullptr;
};

Supervisor::Member shell_member(const std::string& id, const std::string& script, TrustingSession& session) {
  WorkerPolicy policy;
  policy.first_backoff = policy.longest_crash_backoff = 1ms;
  policy.drain_timeout = policy.kill_grace = 20ms;
  return {{.id = id, .command = {.program = "/bin/sh", .arguments = {"sh", "-c", script}}, .policy = policy},
          &session};
}

// Waits until the worker is gone.
bool remove_and_wait(Supervisor& supervisor, const std::string& id) {
  std::promise<void> gone;
  if (!supervisor.remove(id, [&] { gone.set_value(); })) return false;
  return gone.get_future().wait_for(kPatience) == std::future_status::ready;
}

TEST(Supervisor, TakesAndGivesUpWorkersWhileOthersRun) {
  TrustingSession first, second;
  const auto supervisor =
      Supervisor::start({shell_member("first", "sleep 1000", first)}, system_clock()).value();
  ASSERT_TRUE(eventually([&] { return first.is_ready_.load(); }));

  EXPECT_TRUE(supervisor->add(shell_member("second", "echo hi >&2; sleep 1000", second)));
  ASSERT_TRUE(eventually([&] { return second.is_ready_ && second.num_lines_ == 1; }));
  ASSERT_TRUE(
      eventually([&] { return supervisor->workers().size() == 2 && supervisor->workers()[1].pid > 0; }));
  ASSERT_TRUE(remove_and_wait(*supervisor, "first"));

  EXPECT_EQ(first.num_exits_, 1);
  EXPECT_EQ(second.num_exits_, 0);
  ASSERT_EQ(supervisor->workers().size(), 1U);
  EXPECT_EQ(supervisor->workers()[0].id, "second");
  // The session is not called any more, though the supervisor works on.
  const int calls = first.num_calls_, others = second.num_calls_;
  ASSERT_TRUE(eventually([&] { return second.num_calls_ > others + 1; }));
  EXPECT_EQ(first.num_calls_, calls);
  supervisor->stop();
  EXPECT_EQ(second.num_exits_, 1);
}

TEST(Supervisor, SaysAtOnceThatAnUnknownWorkerIsGone) {
  const auto supervisor = Supervisor::start({}, system_clock()).value();
  EXPECT_TRUE(remove_and_wait(*supervisor, "nobody"));
}

TEST(Supervisor, TellsAllWhoRemoveTheSameWorker) {
  TrustingSession session;
  const auto supervisor =
      Supervisor::start({shell_member("one", "sleep 1000", session)}, system_clock()).value();
  ASSERT_TRUE(eventually([&] { return session.is_ready_.load(); }));
  std::promise<void> gone;
  ASSERT_TRUE(supervisor->remove("one", [&] { gone.set_value(); }));
  EXPECT_TRUE(remove_and_wait(*supervisor, "one"));
  gone.get_future().wait();
  EXPECT_TRUE(supervisor->workers().empty());
}

TEST(Supervisor, RemovesAWorkerThatCannotBeStarted) {
  TrustingSession session;
  Supervisor::Member member = shell_member("none", "", session);
  member.spec.command.program = "/does/not/exist";
  member.spec.policy.first_backoff = member.spec.policy.longest_backoff = 1h;
  const auto supervisor = Supervisor::start({}, system_clock()).value();
  supervisor->add(std::move(member));
  ASSERT_TRUE(eventually([&] { return session.num_exits_ == 1; }));
  EXPECT_TRUE(remove_and_wait(*supervisor, "none"));
}

TEST(Supervisor, KillsAWorkerThatItsSessionBlames) {
  TrustingSession session;
  session.ends_late_ = true;
  Supervisor::Member member = shell_member("bad", "trap '' TERM; while true; do sleep 1; done", session);
  member.spec.policy.drain_timeout = 1h;
  const auto supervisor = Supervisor::start({std::move(member)}, system_clock()).value();
  ASSERT_TRUE(eventually([&] { return session.is_ready_.load(); }));
  EXPECT_TRUE(remove_and_wait(*supervisor, "bad"));
  EXPECT_EQ(session.last_kind_, ExitKind::kCrashed);
}

TEST(Supervisor, EndsRemovalsThatAreUnderWayWhenItStopsAndTakesNothingAfter) {
  TrustingSession session, late;
  auto supervisor = Supervisor::start({shell_member("one", "sleep 1000", session)}, system_clock()).value();
  ASSERT_TRUE(eventually([&] { return session.is_ready_.load(); }));
  std::atomic<int> num_gone = 0;
  ASSERT_TRUE(supervisor->remove("one", [&] { ++num_gone; }));

  supervisor->stop();

  EXPECT_EQ(num_gone, 1);
  EXPECT_FALSE(supervisor->add(shell_member("late", "sleep 1000", late)));
  EXPECT_FALSE(supervisor->remove("one", [&] { ++num_gone; }));
  supervisor.reset();
  EXPECT_EQ(num_gone, 1);
  EXPECT_EQ(late.num_calls_, 0);
  EXPECT_FALSE(has_children());
}

TEST(Supervisor, TakesWorkersFromManyThreads) {
  constexpr int kWorkers = 12;
  std::vector<std::unique_ptr<TrustingSession>> sessions;
  for (int i = 0; i < kWorkers; ++i) sessions.push_back(std::make_unique<TrustingSession>());
  const auto supervisor = Supervisor::start({}, system_clock()).value();
  std::vector<std::thread> threads;
  std::atomic<int> num_gone = 0;
  for (int i = 0; i < kWorkers; ++i) {
    threads.emplace_back([&, i] {
      const std::string id = "w" + std::to_string(i);
      supervisor->add(shell_member(id, "sleep 1000", *sessions[static_cast<size_t>(i)]));
      (void)supervisor->workers();
      supervisor->remove(id, [&] { ++num_gone; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(eventually([&] { return num_gone == kWorkers && supervisor->workers().empty(); }));
}

}  // namespace
}  // namespace llama_gpu::supervisor
