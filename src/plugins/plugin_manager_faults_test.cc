// SPDX-License-Identifier: Apache-2.0
// Plugins that crash, hang, lie and leak: the host goes on, and what failed is rolled back or quarantined.
#include <gmock/gmock.h>
#include <signal.h>

#include <atomic>

#include "base/clock_fake.h"
#include "base/failpoint.h"
#include "plugins/circuit_breaker.h"
#include "plugins/plugin_manager_fixture.h"

namespace llama_gpu::plugins {
namespace {

using testing::HasSubstr;
using Kind = PluginChange::Kind;

constexpr auto kShortCalls = "[limits]\ncall_timeout_ms = 200\n";

class PluginFaults : public PluginManagerTest {
 protected:
  // Calls until the condition holds; answers do not matter.
  bool call_until(const std::function<bool()>& condition) {
    return eventually([&] {
      (void)answer("call");
      return condition();
    });
  }
};

// ---- an update that does not start

struct BadStart {
  std::string behaviour;
  std::string reason;  // a part of the error
  std::string limits = {};
};

class PluginBadStart : public PluginManagerTest, public testing::WithParamInterface<BadStart> {};

TEST_P(PluginBadStart, IsRefusedAndTheOldVersionServesOn) {
  start();
  ASSERT_TRUE(install({}).ok());
  std::atomic<bool> is_done = false;
  std::atomic<int> num_wrong = 0;
  std::thread caller([&] {
    while (!is_done) {
      if (answer("hi") != "hi ok") ++num_wrong;
    }
  });

  const Result<Generation> refused =
      install({.version = "2.0.0",
               .config = "append = ' two'\nbehaviour = '" + GetParam().behaviour + "'\n",
               .more = GetParam().limits});

  is_done = true;
  caller.join();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kPluginFailed);
  EXPECT_THAT(refused.error().message, HasSubstr(GetParam().reason));
  // With what it said last.
  EXPECT_THAT(refused.error().message, HasSubstr("behaves: " + GetParam().behaviour));
  EXPECT_EQ(num_wrong, 0);
  EXPECT_EQ(status().version, "1.0.0");
  EXPECT_EQ(status().state, PluginState::kActive);
  EXPECT_EQ(newest().number, 1U);
  EXPECT_TRUE(has_event("change_failed"));
}

INSTANTIATE_TEST_SUITE_P(All, PluginBadStart,
                         testing::Values(BadStart{"crash_at_start", "SIGABRT"},
                                         BadStart{"exit_at_start", "it exited by itself"},
                                         BadStart{"hang_at_start", "did not say hello within",
                                                  "[limits]\nstart_timeout_ms = 1000\n"},
                                         BadStart{"wrong_protocol", "99"},
                                         BadStart{"error_at_start", "bad config"},
                                         BadStart{"crash_in_self_test", "SIGABRT"},
                                         BadStart{"hang_in_self_test", "did not end its self-test within",
                                                  "[limits]\nstart_timeout_ms = 2000\n"},
                                         BadStart{"fails_self_test", "its teeth hurt"}),
                         [](const auto& name) { return name.param.behaviour; });

// ---- an update that fails once it serves

class PluginBadUpdate : public PluginManagerTest, public testing::WithParamInterface<std::string> {};

TEST_P(PluginBadUpdate, IsRolledBackByItselfAndQuarantined) {
  start();
  ASSERT_TRUE(install({}).ok());
  const std::string good = status().digest;
  const TestPackage bad{.version = "2.0.0",
                        .config = "append = ' two'\nbehaviour = '" + GetParam() + "'\n",
                        .more = kShortCalls};
  ASSERT_TRUE(install(bad).ok());
  EXPECT_TRUE(has_event("update"));

  // Open: no request fails meanwhile.
  ASSERT_TRUE(eventually([&] {
    const std::string text = answer("hi");
    EXPECT_THAT(text, testing::AnyOf("hi", "hi ok", "hi two"));
    return text == "hi ok";
  }));

  EXPECT_EQ(status().version, "1.0.0");
  EXPECT_EQ(status().digest, good);
  EXPECT_EQ(status().state, PluginState::kActive);
  const Generation now = newest();
  EXPECT_EQ(now.number, 3U);
  EXPECT_THAT(now.reason, HasSubstr("automatic rollback: acme/guard 2.0.0: "));
  EXPECT_EQ(now.find("acme/guard")->digest, good);
  EXPECT_TRUE(eventually([&] { return has_event("quarantined"); }));
  EXPECT_TRUE(has_event("automatic_rollback", ""));
  EXPECT_EQ(install(bad).error().code, ErrorCode::kPluginQuarantined);
  EXPECT_EQ(apply({.kind = Kind::kRollback, .generation = 2}).error().code, ErrorCode::kPluginQuarantined);

  ASSERT_TRUE(change(Kind::kRelease).ok());
  EXPECT_TRUE(install(bad).ok());
}

INSTANTIATE_TEST_SUITE_P(All, PluginBadUpdate,
                         testing::Values("crash_on_call", "exit_on_call", "hang_on_call", "garbage",
                                         "not_json", "huge_frame", "wrong_id", "reply_twice", "bad_verdict",
                                         "step_frame", "error_on_call", "leaks", "crash_when_idle",
                                         "closes_socket"),
                         [](const auto& name) { return name.param; });

TEST_F(PluginFaults, RollsAConfigBackWithoutBlamingThePackage) {
  start();
  ASSERT_TRUE(install({}).ok());
  ASSERT_TRUE(
      apply({.kind = Kind::kConfigure, .plugin = "acme/guard", .config = R"({"behaviour":"crash_on_call"})"})
          .ok());
  EXPECT_TRUE(call_until([&] { return newest().number == 3; }));
  EXPECT_TRUE(eventually([&] { return answer("hi") == "hi ok"; }));
  EXPECT_EQ(status().config, newest().find("acme/guard")->config);
  EXPECT_FALSE(has_event("quarantined"));
}

TEST_F(PluginFaults, QuarantinesWhatNeitherVersionSaves) {
  start();
  ASSERT_TRUE(install({.config = "behaviour = 'good'\n"}).ok());
  const std::string old = status().digest;
  ASSERT_TRUE(install({.version = "2.0.0", .config = "behaviour = 'crash_on_call'\n"}).ok());
  std::filesystem::permissions(options_.folder + "/packages/" + old, std::filesystem::perms::owner_all);
  std::filesystem::remove_all(options_.folder + "/packages/" + old);

  EXPECT_TRUE(call_until([&] { return status().state == PluginState::kQuarantined; }));

  EXPECT_EQ(status().version, "2.0.0");
  EXPECT_THAT(status().reason, HasSubstr("1.0.0 does not run either"));
  EXPECT_EQ(newest().number, 2U);
}

// ---- outside the watch window

TEST_F(PluginFaults, QuarantinesACrashLoopAndBringsItBackWhenItIsReleased) {
  options_.crash_limit = 3;
  start();
  const TestPackage bad{.config = "behaviour = 'crash_on_call'\n",
                        .plugin = "required = true\nfailure_policy = 'closed'\n"};
  ASSERT_TRUE(install(bad).ok());

  ASSERT_TRUE(call_until([&] { return status().state == PluginState::kQuarantined; }));

  EXPECT_EQ(status().reason_code, "quarantined");
  EXPECT_THAT(status().reason, HasSubstr("it ended 3 times"));
  EXPECT_EQ(manager_->list().size(), 1U);
  EXPECT_EQ(newest().number, 1U);
  EXPECT_FALSE(manager_->is_ready());
  EXPECT_TRUE(eventually([&] { return status().pid == 0; }));
  EXPECT_EQ(answer("hi"), "plugin_failed");  // closed stays closed
  EXPECT_EQ(change(Kind::kReload).error().code, ErrorCode::kPluginQuarantined);

  // Also after a restart.
  start();
  ASSERT_TRUE(wait_for_state(PluginState::kQuarantined));
  EXPECT_EQ(answer("hi"), "plugin_failed");

  ASSERT_TRUE(change(Kind::kRelease).ok());
  ASSERT_TRUE(wait_for_state(PluginState::kActive));
  EXPECT_TRUE(manager_->is_ready());
  EXPECT_TRUE(change(Kind::kRelease).ok());  // nothing to do
}

TEST_F(PluginFaults, ForgivesEndsThatLieFarApart) {
  FakeClock clock;
  options_.clock = &clock;
  options_.crash_limit = 2;
  start();
  ASSERT_TRUE(install({.config = "append = ' ok'\n"}).ok());
  for (int i = 0; i < 4; ++i) {
    (void)answer("!crash");
    ASSERT_TRUE(eventually([&] { return status().restarts == i || status().state == PluginState::kFailed; }));
    // Past the backoff, and past the window.
    ASSERT_TRUE(eventually([&] {
      clock.advance(1s);
      return status().restarts == i + 1 && status().state == PluginState::kActive;
    }));
    clock.advance(options_.crash_window);
  }
  EXPECT_EQ(answer("hi"), "hi ok");
}

TEST_F(PluginFaults, DoesNotBlameAPluginThatIsKilledFromOutside) {
  options_.crash_limit = 2;
  start();
  ASSERT_TRUE(install({}).ok());
  for (int i = 1; i <= 3; ++i) {
    ::kill(static_cast<pid_t>(status().pid), SIGKILL);
    ASSERT_TRUE(eventually([&] { return status().restarts == i && status().state == PluginState::kActive; }));
  }
  EXPECT_EQ(answer("hi"), "hi ok");
}

// ---- calls that fail

TEST_F(PluginFaults, FailsOpenOrClosedAsTheManifestSays) {
  start();
  ASSERT_TRUE(install({}).ok());
  EXPECT_EQ(answer("!error"), "!error");
  EXPECT_EQ(status().failures, 1U);

  ASSERT_TRUE(install({.version = "2.0.0", .plugin = "failure_policy = 'closed'\n"}).ok());
  const Result<FilterableText> failed = ask("!error");
  EXPECT_EQ(failed.error().code, ErrorCode::kPluginFailed);
  EXPECT_THAT(failed.error().message, HasSubstr("'acme/guard' failed: it does not like it"));
  EXPECT_EQ(answer("!crash"), "plugin_failed");
  EXPECT_TRUE(eventually([&] { return answer("hi") == "hi ok"; }));
}

TEST_F(PluginFaults, FailsAllCallsOfAPluginThatHangs) {
  start();
  ASSERT_TRUE(install({.plugin = "failure_policy = 'closed'\n", .more = kShortCalls}).ok());
  const int64_t pid = status().pid;
  std::atomic<int> num_failed = 0;
  for (int i = 0; i < 8; ++i) {
    manager_->filter_request({"r", "m", FilterableText(i == 0 ? "!hang" : "hi")}, [&](const auto& result) {
      if (!result.ok() && result.error().code == ErrorCode::kPluginFailed) ++num_failed;
    });
  }
  EXPECT_TRUE(eventually([&] { return num_failed == 8; }));
  EXPECT_TRUE(eventually([&] { return status().state == PluginState::kActive && status().pid != pid; }));
  EXPECT_TRUE(has_event("timed_out"));
  EXPECT_FALSE(status().is_circuit_open);  // one end is one failure
  EXPECT_TRUE(eventually([&] { return answer("hi") == "hi ok"; }));
}

TEST_F(PluginFaults, OpensTheCircuitOfAPluginThatOnlyFailsAndTriesItAgain) {
  FakeClock clock;
  options_.clock = &clock;
  start();
  ASSERT_TRUE(install({.plugin = "failure_policy = 'closed'\n"}).ok());
  for (int i = 0; i < CircuitBreaker::kFailuresInARow; ++i) EXPECT_EQ(answer("!error"), "plugin_failed");

  EXPECT_TRUE(status().is_circuit_open);
  EXPECT_TRUE(has_event("circuit_opened"));
  const uint64_t calls = status().calls;
  EXPECT_THAT(ask("hi").error().message, HasSubstr("not called for a while"));
  EXPECT_EQ(status().calls, calls);  // it was not asked

  clock.advance(CircuitBreaker::kOpenTime);
  EXPECT_EQ(answer("hi"), "hi ok");
  EXPECT_FALSE(status().is_circuit_open);
  EXPECT_TRUE(has_event("circuit_closed"));
}

TEST_F(PluginFaults, IsNotHeldUpByAPluginThatTalksTooMuch) {
  start();
  ASSERT_TRUE(install({.config = "behaviour = 'chatters'\nappend = ' ok'\n"}).ok());
  EXPECT_EQ(answer("hi"), "hi ok");
  EXPECT_TRUE(eventually([&] { return status().log_tail.size() == 100; }));
}

TEST_F(PluginFaults, RefusesARequestThatNoMessageCanHold) {
  start();
  ASSERT_TRUE(install({}).ok());
  EXPECT_EQ(answer(std::string(size_t{17} << 20, 'x')), "request_too_large");
  EXPECT_EQ(answer("hi"), "hi ok");
}

TEST_F(PluginFaults, ReplacesAPluginThatIgnoresItsEnd) {
  options_.drain_timeout = 30s;
  start();
  ASSERT_TRUE(install({.config = "behaviour = 'ignores_the_end'\nappend = ' ok'\n"}).ok());
  const auto pid = static_cast<pid_t>(status().pid);

  ASSERT_TRUE(install({.version = "2.0.0", .config = "append = ' two'\n"}).ok());

  EXPECT_EQ(answer("hi"), "hi two");
  EXPECT_TRUE(eventually([&] { return ::kill(pid, 0) != 0; }));
}

TEST_F(PluginFaults, EndsAPluginWhoseHealthIsNonsense) {
  start();
  ASSERT_TRUE(install({.config = "behaviour = 'bad_health'\n"}).ok());
  EXPECT_TRUE(eventually([&] { return has_event("protocol_broken"); }));
  EXPECT_TRUE(eventually([&] { return status().restarts > 0; }));
}

// ---- the host's own failures

TEST_F(PluginFaults, ChangesNothingWhereAProcessCannotBeStarted) {
  start();
  ASSERT_TRUE(install({}).ok());
  {
    const ScopedFailpoints failpoints("worker.spawn=error:io_failed");
    EXPECT_EQ(install({.version = "2.0.0"}).error().code, ErrorCode::kPluginFailed);
  }
  EXPECT_EQ(answer("hi"), "hi ok");
  EXPECT_EQ(newest().number, 1U);
}

TEST_F(PluginFaults, ComesBackFromReloadsAndFailuresAtOnce) {
  start();
  ASSERT_TRUE(install({}).ok());
  std::atomic<bool> is_done = false;
  std::thread crasher([&] {
    while (!is_done) (void)answer("!crash");
  });
  for (int i = 0; i < 10; ++i) (void)change(Kind::kReload);
  is_done = true;
  crasher.join();
  // Quarantined or not, the host answers, and a good version gets it back.
  (void)change(Kind::kRelease);
  ASSERT_TRUE(install({.version = "2.0.0", .config = "append = ' two'\n"}).ok());
  EXPECT_TRUE(eventually([&] { return answer("hi") == "hi two"; }));
}

}  // namespace
}  // namespace llama_gpu::plugins
