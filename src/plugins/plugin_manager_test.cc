// SPDX-License-Identifier: Apache-2.0
// The life of plugins, with real processes: installed, changed, ordered, refused, removed.
#include "plugins/plugin_manager.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <stdexcept>

#include "plugins/plugin_manager_fixture.h"

namespace llama_gpu::plugins {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = PluginChange::Kind;

TEST_F(PluginManagerTest, InstallsAPluginAndTakesRequestsThroughIt) {
  start();
  EXPECT_FALSE(manager_->has_request_filters());
  EXPECT_EQ(answer("hi"), "hi");

  const Result<Generation> generation = install({});

  ASSERT_TRUE(generation.ok()) << generation.error().message;
  EXPECT_EQ(generation->number, 1U);
  EXPECT_EQ(generation->reason, "install acme/guard 1.0.0");
  EXPECT_TRUE(manager_->has_request_filters());
  EXPECT_EQ(answer("hi"), "hi ok");
  const PluginStatus now = status();
  EXPECT_EQ(now.state, PluginState::kActive);
  EXPECT_EQ(now.version, "1.0.0");
  EXPECT_TRUE(now.is_enabled);
  EXPECT_FALSE(now.is_signed);
  EXPECT_GT(now.pid, 0);
  EXPECT_EQ(now.calls, 1U);
  EXPECT_EQ(now.failures, 0U);
  EXPECT_GT(now.p50_milliseconds, 0);
  EXPECT_GE(now.p95_milliseconds, now.p50_milliseconds);
  EXPECT_TRUE(eventually([&] { return status().memory_bytes > 0; }));
  EXPECT_TRUE(eventually([&] { return status().log_tail.size() >= 2; }));
  EXPECT_THAT(status().log_tail, Contains("test plugin 1.0.0 behaves: good"));
  EXPECT_THAT(status().log_tail, Contains("said hello"));
}

TEST_F(PluginManagerTest, TakesConversationsThroughFilters) {
  start();
  ASSERT_TRUE(install({}).ok());
  std::promise<Result<FilterableText>> promise;
  manager_->filter_request({"r", "m", std::vector<text::ChatMessage>{{"user", "a"}, {"user", "b"}}},
                           [&](auto result) { promise.set_value(std::move(result)); });
  const auto text = std::get<std::vector<text::ChatMessage>>(promise.get_future().get().value());
  EXPECT_THAT(text, ElementsAre(text::ChatMessage{"user", "a ok"}, text::ChatMessage{"user", "b ok"}));
}

TEST_F(PluginManagerTest, RefusesWhatIsNotSignedUnlessThatIsAllowed) {
  options_.allows_unsigned = false;
  start();
  const std::string source = package({});

  EXPECT_EQ(apply({.kind = Kind::kInstall, .source = source}).error().code, ErrorCode::kPluginUnsigned);
  EXPECT_TRUE(manager_->list().empty());
  EXPECT_TRUE(apply({.kind = Kind::kInstall, .source = source, .allows_unsigned = true}).ok());
}

TEST_F(PluginManagerTest, NamesTheNearestPlugin) {
  start();
  ASSERT_TRUE(install({}).ok());
  EXPECT_EQ(manager_->find("acme/gard").error().code, ErrorCode::kPluginNotFound);
  EXPECT_THAT(manager_->find("acme/gard").error().message, HasSubstr("'acme/guard'"));
  EXPECT_EQ(change(Kind::kReload, "acme/gard").error().code, ErrorCode::kPluginNotFound);
  EXPECT_EQ(change(Kind::kRelease, "acme/gard").error().code, ErrorCode::kPluginNotFound);
}

TEST_F(PluginManagerTest, PlansWithoutChangingAnything) {
  start();
  ASSERT_TRUE(install({}).ok());
  const std::string next = package({.version = "1.1.0", .more = "[permissions]\nread = ['/etc']\n"});

  const ChangePlan plan = manager_->plan({.kind = Kind::kInstall, .source = next}).value();

  ASSERT_EQ(plan.steps.size(), 1U);
  EXPECT_EQ(plan.steps[0].action, "update");
  EXPECT_EQ(plan.steps[0].plugin, "acme/guard");
  EXPECT_EQ(plan.steps[0].from_version, "1.0.0");
  EXPECT_EQ(plan.steps[0].to_version, "1.1.0");
  EXPECT_THAT(plan.new_permissions, ElementsAre("may read '/etc'"));
  EXPECT_THAT(plan.warnings, Contains(HasSubstr("unsigned")));
  EXPECT_EQ(status().version, "1.0.0");
  EXPECT_EQ(manager_->plan({.kind = Kind::kRelease, .plugin = "acme/guard"})->steps[0].action, "release");
}

TEST_F(PluginManagerTest, ReloadsTwoHundredTimesUnderLoadWithoutLosingOrAlteringACall) {
  start();
  ASSERT_TRUE(install({.more = "[limits]\ncall_timeout_ms = 30000\nstart_timeout_ms = 30000\n"}).ok());
  std::atomic<bool> is_done = false;
  std::atomic<int> num_calls = 0, num_wrong = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      while (!is_done) {
        const std::string prompt = "prompt " + std::to_string(++num_calls);
        if (answer(prompt) != prompt + " ok") ++num_wrong;
      }
    });
  }
  const int64_t first_pid = status().pid;

  int num_failed = 0;
  for (int i = 0; i < 200; ++i) {
    if (!change(Kind::kReload).ok()) ++num_failed;
  }

  is_done = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(num_failed, 0);
  EXPECT_EQ(num_wrong, 0);
  EXPECT_GT(num_calls, 200);
  EXPECT_NE(status().pid, first_pid);
  // The same set in another process is no other generation.
  EXPECT_EQ(newest().number, 1U);
  manager_->stop();
}

TEST_F(PluginManagerTest, FinishesCallsOnTheOldWorker) {
  start();
  ASSERT_TRUE(install({.more = "[limits]\ncall_timeout_ms = 30000\n"}).ok());
  std::promise<Result<FilterableText>> promise;
  manager_->filter_request({"r", "m", FilterableText("!slow 300")},
                           [&](auto result) { promise.set_value(std::move(result)); });

  ASSERT_TRUE(
      install(
          {.version = "2.0.0", .config = "append = ' two'\n", .more = "[limits]\ncall_timeout_ms = 30000\n"})
          .ok());

  EXPECT_EQ(answer("hi"), "hi two");
  EXPECT_EQ(std::get<std::string>(promise.get_future().get().value()), "!slow 300 ok");
  EXPECT_TRUE(eventually([&] {
    for (const PluginEvent& event : manager_->events_after(0)) {
      if (event.version == "1.0.0" && event.to == PluginState::kStopped) return true;
    }
    return false;
  }));
}

TEST_F(PluginManagerTest, BringsBackTheSameSetAfterARestart) {
  start();
  ASSERT_TRUE(install({}).ok());
  ASSERT_TRUE(install({.id = "acme/other", .config = "append = ' other'\n"}).ok());
  ASSERT_TRUE(change(Kind::kDisable, "acme/other").ok());
  ASSERT_TRUE(
      apply({.kind = Kind::kConfigure, .plugin = "acme/guard", .config = R"({"append":" mine"})"}).ok());
  const Generation before = newest();
  EXPECT_EQ(before.number, 4U);

  start();

  // Not a single request gets past a filter that is about to start.
  EXPECT_EQ(answer("hi"), "hi mine");
  EXPECT_EQ(manager_->list().size(), 2U);
  ASSERT_TRUE(wait_for_state(PluginState::kActive));
  ASSERT_TRUE(wait_for_state(PluginState::kStopped, "acme/other"));
  EXPECT_EQ(newest(), before);
  EXPECT_EQ(status().config, R"({"append":" mine"})");
  EXPECT_EQ(status("acme/other").reason_code, "disable");
  EXPECT_EQ(answer("hi"), "hi mine");
}

TEST_F(PluginManagerTest, CallsFiltersInTheirOrder) {
  start();
  ASSERT_TRUE(install({.id = "acme/a", .config = "append = ' a'\n", .plugin = "order = 20\n"}).ok());
  ASSERT_TRUE(install({.id = "acme/b", .config = "append = ' b'\n", .plugin = "order = 10\n"}).ok());
  ASSERT_TRUE(install({.id = "acme/c", .config = "append = ' c'\n", .plugin = "order = 10\n"}).ok());

  EXPECT_EQ(answer("x"), "x b c a");
  const Result<FilterableText> refused = ask("!reject it is rude");
  EXPECT_EQ(refused.error().code, ErrorCode::kPluginRejected);
  EXPECT_THAT(refused.error().message, HasSubstr("'acme/b' refused the request: it is rude"));
  EXPECT_EQ(status("acme/b").rejections, 1U);
  EXPECT_EQ(status("acme/b").failures, 0U);
  EXPECT_EQ(status("acme/a").calls, 1U);
}

TEST_F(PluginManagerTest, DisablesEnablesAndRemoves) {
  start();
  ASSERT_TRUE(install({}).ok());

  ASSERT_TRUE(change(Kind::kDisable).ok());
  EXPECT_FALSE(manager_->has_request_filters());
  EXPECT_EQ(answer("hi"), "hi");
  EXPECT_TRUE(wait_for_state(PluginState::kStopped));
  EXPECT_TRUE(eventually([&] { return status().pid == 0; }));
  EXPECT_EQ(change(Kind::kReload).error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(change(Kind::kDisable)->number, 2U);  // nothing to do

  // Of what is disabled an update stays disabled, and a config is only kept.
  ASSERT_TRUE(install({.version = "1.1.0"}).ok());
  EXPECT_EQ(status().version, "1.1.0");
  EXPECT_EQ(status().state, PluginState::kStopped);
  ASSERT_TRUE(apply({.kind = Kind::kConfigure, .plugin = "acme/guard", .config = R"({"append":"!"})"}).ok());

  ASSERT_TRUE(change(Kind::kEnable).ok());
  EXPECT_EQ(change(Kind::kEnable)->number, 5U);
  EXPECT_EQ(answer("hi"), "hi!");

  ASSERT_TRUE(change(Kind::kRemove).ok());
  EXPECT_TRUE(manager_->list().empty());
  EXPECT_EQ(answer("hi"), "hi");
  ASSERT_TRUE(install({}).ok());
  ASSERT_TRUE(change(Kind::kDisable).ok());
  ASSERT_TRUE(wait_for_state(PluginState::kStopped));
  ASSERT_TRUE(change(Kind::kRemove).ok());
  EXPECT_TRUE(manager_->list().empty());
}

TEST_F(PluginManagerTest, KeepsAConfigThatWasSetOverAnUpdateAndFollowsDefaults) {
  start();
  ASSERT_TRUE(install({}).ok());
  ASSERT_TRUE(install({.version = "1.1.0", .config = "append = ' new default'\n"}).ok());
  EXPECT_EQ(answer("hi"), "hi new default");
  ASSERT_TRUE(
      apply({.kind = Kind::kConfigure, .plugin = "acme/guard", .config = R"({"append":" set"})"}).ok());
  EXPECT_EQ(answer("hi"), "hi set");
  ASSERT_TRUE(install({.version = "1.2.0", .config = "append = ' newer default'\n"}).ok());
  EXPECT_EQ(answer("hi"), "hi set");
}

TEST_F(PluginManagerTest, RefusesAConfigThatIsNoObjectOrThatThePluginDoesNotTake) {
  start();
  ASSERT_TRUE(install({}).ok());
  for (const std::string config : {"[]", "{", "3"}) {
    const Result<Generation> refused =
        apply({.kind = Kind::kConfigure, .plugin = "acme/guard", .config = config});
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidValue);
    EXPECT_EQ(refused.error().param, "config");
  }
  const Result<Generation> refused = apply(
      {.kind = Kind::kConfigure, .plugin = "acme/guard", .config = R"({"behaviour":"error_at_start"})"});
  EXPECT_EQ(refused.error().code, ErrorCode::kPluginFailed);
  EXPECT_THAT(refused.error().message, HasSubstr("bad config"));
  EXPECT_EQ(answer("hi"), "hi ok");
  EXPECT_EQ(newest().number, 1U);
}

TEST_F(PluginManagerTest, RollsBackByHandToAnyKeptGeneration) {
  start();
  EXPECT_EQ(apply({.kind = Kind::kRollback}).error().code, ErrorCode::kInvalidValue);
  ASSERT_TRUE(install({}).ok());
  ASSERT_TRUE(install({.version = "2.0.0", .config = "append = ' two'\n"}).ok());
  ASSERT_TRUE(install({.id = "acme/other", .config = "append = ' other'\n"}).ok());

  ASSERT_TRUE(apply({.kind = Kind::kRollback}).ok());
  EXPECT_EQ(answer("hi"), "hi two");
  EXPECT_EQ(manager_->list().size(), 1U);
  const Result<Generation> first = apply({.kind = Kind::kRollback, .generation = 1});
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(first->number, 5U);
  EXPECT_EQ(answer("hi"), "hi ok");
  EXPECT_EQ(apply({.kind = Kind::kRollback, .generation = 77}).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(apply({.kind = Kind::kRollback, .generation = 3}).ok());
  EXPECT_EQ(answer("hi"), "hi two other");
  ASSERT_TRUE(apply({.kind = Kind::kRollback, .generation = 0}).ok());
  EXPECT_TRUE(manager_->list().empty());
  EXPECT_EQ(answer("hi"), "hi");
}

TEST_F(PluginManagerTest, RefusesWhatWouldMissOrMeetAnother) {
  start();
  const TestPackage needy{.id = "acme/needy", .more = "[dependencies]\n'acme/guard' = '^1.0'\n"};
  EXPECT_EQ(install(needy).error().code, ErrorCode::kPluginIncompatible);
  ASSERT_TRUE(install({}).ok());
  ASSERT_TRUE(install(needy).ok());

  for (const Kind kind : {Kind::kDisable, Kind::kRemove}) {
    const Result<Generation> refused = change(kind);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kPluginIncompatible);
    EXPECT_THAT(refused.error().message, HasSubstr("'acme/needy' could not run: it needs acme/guard ^1.0"));
  }
  EXPECT_EQ(install({.version = "2.0.0"}).error().code, ErrorCode::kPluginIncompatible);
  EXPECT_EQ(install({.id = "acme/rival", .more = "[conflicts]\n'acme/guard' = '*'\n"}).error().code,
            ErrorCode::kPluginIncompatible);
  EXPECT_EQ(manager_->list().size(), 2U);
}

TEST_F(PluginManagerTest, RefusesAnotherHostApiAndABadPackage) {
  start();
  const std::string source = package({}), path = source + "/plugin.toml";
  std::string manifest = read_file(path, 1 << 20).value();
  manifest.replace(manifest.find("min = '1.0.0'"), 13, "min = '2.0.0'");
  manifest.replace(manifest.find("max = '1.999.0'"), 15, "max = '2.999.0'");
  ASSERT_TRUE(write_file_atomically(path, manifest).ok());
  EXPECT_EQ(apply({.kind = Kind::kInstall, .source = source}).error().code, ErrorCode::kPluginIncompatible);
  const PluginChange missing{.kind = Kind::kInstall, .source = folder_.path("nothing")};
  EXPECT_EQ(apply(missing).error().code, ErrorCode::kPluginInvalid);
  EXPECT_TRUE(manager_->list().empty());
}

TEST_F(PluginManagerTest, ListsWhatCannotRunWithTheReason) {
  start();
  const TestPackage closed{
      .id = "acme/b", .config = "append = ' b'\n", .plugin = "failure_policy = 'closed'\n"};
  ASSERT_TRUE(install({.id = "acme/a", .config = "append = ' a'\n"}).ok());
  ASSERT_TRUE(install(closed).ok());
  ASSERT_TRUE(install({.id = "acme/c", .more = "[dependencies]\n'acme/b' = '*'\n"}).ok());
  const std::string a = status("acme/a").digest, b = status("acme/b").digest;
  manager_.reset();
  std::filesystem::permissions(options_.folder + "/packages/" + a, std::filesystem::perms::owner_all);
  std::filesystem::remove_all(options_.folder + "/packages/" + a);
  const std::string changed = options_.folder + "/packages/" + b + "/run";
  std::filesystem::permissions(changed, std::filesystem::perms::owner_all);
  std::ofstream(changed, std::ios::app) << "# more\n";

  start();

  ASSERT_TRUE(wait_for_state(PluginState::kFailed, "acme/a"));
  ASSERT_TRUE(wait_for_state(PluginState::kFailed, "acme/b"));
  ASSERT_TRUE(wait_for_state(PluginState::kFailed, "acme/c"));
  EXPECT_EQ(status("acme/a").reason_code, "package_missing");
  EXPECT_FALSE(status("acme/a").manifest.has_value());
  EXPECT_EQ(status("acme/b").reason_code, "package_modified");
  EXPECT_EQ(status("acme/c").reason_code, "dependency_missing");
  // What fails closed stays closed, and so does what nobody can tell of.
  EXPECT_EQ(answer("hi"), "plugin_failed");
  EXPECT_FALSE(manager_->is_ready());
  // Installed again, their bytes are whole again.
  ASSERT_TRUE(install(closed).ok());
  EXPECT_EQ(status("acme/b").state, PluginState::kActive);
  EXPECT_EQ(answer("hi"), "plugin_failed");
  ASSERT_TRUE(install({.id = "acme/a", .config = "append = ' a'\n"}).ok());
  EXPECT_EQ(answer("hi"), "hi a b");
  EXPECT_TRUE(manager_->is_ready());
}

TEST_F(PluginManagerTest, LetsHooksRefuseChangesAndSurvivesThem) {
  start();
  std::vector<std::string> seen;
  std::mutex mutex;
  const auto listener = manager_->add_hook(
      [&](const PluginEvent& event) {
        const std::lock_guard lock(mutex);
        if (event.is_before) seen.push_back(event.reason_code + " " + event.plugin);
        return Status(Error{ErrorCode::kInternal, "a hook that may not veto"});
      },
      /*may_veto=*/false);
  const auto thrower = manager_->add_hook(
      [](const PluginEvent&) -> Status { throw std::runtime_error("a hook throws"); }, /*may_veto=*/true);
  ASSERT_TRUE(install({}).ok());
  auto vetoer = manager_->add_hook(
      [](const PluginEvent& event) {
        return event.is_before ? Status(Error{ErrorCode::kInternal, "not on a Friday"}) : Status();
      },
      /*may_veto=*/true);

  for (const Kind kind : {Kind::kDisable, Kind::kRemove}) {
    const Result<Generation> refused = change(kind);
    EXPECT_EQ(refused.error().code, ErrorCode::kPluginVetoed);
    EXPECT_THAT(refused.error().message, HasSubstr("not on a Friday"));
  }
  EXPECT_EQ(install({.version = "1.1.0"}).error().code, ErrorCode::kPluginVetoed);
  EXPECT_TRUE(change(Kind::kReload).ok());
  EXPECT_EQ(status().version, "1.0.0");
  EXPECT_EQ(answer("hi"), "hi ok");
  vetoer.reset();
  EXPECT_TRUE(change(Kind::kDisable).ok());
  const std::lock_guard lock(mutex);
  EXPECT_THAT(seen, ElementsAre("install acme/guard", "disable acme/guard", "remove acme/guard",
                                "update acme/guard", "reload acme/guard", "disable acme/guard"));
}

TEST_F(PluginManagerTest, TellsOfEveryStepInOrder) {
  start();
  ASSERT_TRUE(install({}).ok());
  ASSERT_TRUE(change(Kind::kDisable).ok());
  ASSERT_TRUE(wait_for_state(PluginState::kStopped));

  std::vector<std::string> steps;
  uint64_t last = 0;
  for (const PluginEvent& event : manager_->events_after(0)) {
    EXPECT_EQ(event.sequence, last + 1);
    last = event.sequence;
    if (event.plugin == "acme/guard" && !event.is_before) steps.emplace_back(plugin_state_name(event.to));
  }
  EXPECT_THAT(steps, ElementsAre("starting", "probing", "active", "active", "draining", "stopped"));
  EXPECT_THAT(manager_->events_after(last), IsEmpty());
  EXPECT_EQ(manager_->events_after(last - 1).size(), 1U);
}

TEST_F(PluginManagerTest, TellsPluginsThatListen) {
  start();
  ASSERT_TRUE(install({.id = "acme/audit",
                       .config = "capabilities = ['event_listener']\n",
                       .plugin = "capabilities = ['event_listener']\n"})
                  .ok());
  EXPECT_FALSE(manager_->has_request_filters());
  ASSERT_TRUE(install({}).ok());

  const std::string log = options_.folder + "/data/acme/audit/events.jsonl";
  EXPECT_TRUE(eventually([&] {
    const Result<std::string> text = read_file(log, 1 << 20);
    return text.ok() && text->find("install acme/guard 1.0.0") != std::string::npos;
  }));
}

TEST_F(PluginManagerTest, IsReadyOnceAllThatAreRequiredAreActive) {
  start();
  EXPECT_TRUE(manager_->is_ready());
  ASSERT_TRUE(install({.plugin = "required = true\n"}).ok());
  EXPECT_TRUE(status().is_required);
  EXPECT_TRUE(manager_->is_ready());

  EXPECT_EQ(answer("!exit"), "!exit");
  EXPECT_TRUE(has_event("crashed"));
  EXPECT_TRUE(eventually([&] { return manager_->is_ready() && status().restarts == 1; }));
}

TEST_F(PluginManagerTest, ShowsThatAPluginIsNotWell) {
  start();
  ASSERT_TRUE(install({.config = "health = 'failing'\n"}).ok());
  EXPECT_TRUE(eventually([&] { return status().reason_code == "health_failing"; }));
  EXPECT_THAT(status().reason, HasSubstr("the disk is full"));
  EXPECT_EQ(status().state, PluginState::kActive);
}

TEST_F(PluginManagerTest, EndsWhatRunsWhenItStops) {
  start();
  ASSERT_TRUE(install({.more = "[limits]\ncall_timeout_ms = 30000\n"}).ok());
  const auto pid = static_cast<pid_t>(status().pid);
  ASSERT_GT(pid, 0);
  std::promise<Result<FilterableText>> promise;
  manager_->filter_request({"r", "m", FilterableText("!slow 100")},
                           [&](auto result) { promise.set_value(std::move(result)); });

  manager_->stop();

  // What ran was finished; what comes now is refused.
  EXPECT_EQ(std::get<std::string>(promise.get_future().get().value()), "!slow 100 ok");
  EXPECT_EQ(answer("hi"), "shutting_down");
  EXPECT_EQ(change(Kind::kReload).error().code, ErrorCode::kShuttingDown);
  EXPECT_NE(::kill(pid, 0), 0);  // no process is left
}

TEST_F(PluginManagerTest, GivesUpAStartThatIsUnderWayWhenItStops) {
  start();
  std::promise<Result<Generation>> promise;
  manager_->apply({.kind = Kind::kInstall, .source = package({.config = "behaviour = 'hang_at_start'\n"})},
                  [&](auto result) { promise.set_value(std::move(result)); });
  ASSERT_TRUE(eventually([&] { return !manager_->events_after(1).empty(); }));

  manager_->stop();

  EXPECT_EQ(promise.get_future().get().error().code, ErrorCode::kShuttingDown);
  manager_.reset();
  start();
  EXPECT_TRUE(manager_->list().empty());
}

TEST_F(PluginManagerTest, RunsPluginsInTheSandbox) {
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
  options_.make_command = [](const PluginManifest& manifest, const SandboxPolicy& policy) {
    SandboxedCommand sandboxed = sandboxed_command(policy, manifest.command);
    sandboxed.arguments[1].clear();  // the launcher of tests is told of no hardship
    supervisor::WorkerCommand command;
    command.program = LLAMAGPU_SANDBOX_LAUNCHER;
    command.arguments = std::move(sandboxed.arguments);
    command.environment = std::move(sandboxed.environment);
    command.leads_group = true;
    return command;
  };
  start();
  const std::string source = package({.plugin = "capabilities = ['request_filter', 'event_listener']\n",
                                      .command = "['python3', 'plugin.py']"});
  std::filesystem::copy_file(LLAMAGPU_TESTDATA "/support/sandboxed_plugin.py", source + "/plugin.py");

  const Result<Generation> installed = apply({.kind = Kind::kInstall, .source = source});

  ASSERT_TRUE(installed.ok()) << installed.error().message;
  EXPECT_EQ(answer("hi"), "hi ok");
  const std::vector<LayerReport> layers = status().sandbox;
  EXPECT_EQ(layers.size(), 5U);
  EXPECT_TRUE(std::any_of(layers.begin(), layers.end(), [](const auto& layer) { return layer.is_active; }));
  // It has its own folder.
  ASSERT_TRUE(change(Kind::kReload).ok());
  EXPECT_TRUE(
      eventually([&] { return read_file(options_.folder + "/data/acme/guard/events.jsonl", 1 << 20).ok(); }));
}

TEST_F(PluginManagerTest, HasOneWriterOfItsStore) {
  start();
  EXPECT_EQ(PluginManager::start(options_).error().code, ErrorCode::kPluginStoreBusy);
}

}  // namespace
}  // namespace llama_gpu::plugins
