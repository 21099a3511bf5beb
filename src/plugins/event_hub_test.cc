// SPDX-License-Identifier: Apache-2.0
#include "plugins/event_hub.h"

#include <gmock/gmock.h>

#include <future>
#include <mutex>
#include <string>

#include "base/clock_fake.h"

namespace llama_gpu::plugins {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

PluginEvent event_of(const std::string& plugin) { return {.plugin = plugin}; }

// Keeps the plugins of the events that a hook hears of.
class HeardEvents {
 public:
  PluginEventHook hook(Status answer = {}) {
    return [this, answer](const PluginEvent& event) {
      const std::lock_guard lock(mutex_);
      plugins_.push_back(event.plugin);
      return answer;
    };
  }
  std::vector<std::string> plugins() {
    const std::lock_guard lock(mutex_);
    return plugins_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> plugins_;
};

TEST(EventHub, NumbersKeepsAndTells) {
  FakeClock clock;
  EventHub hub(clock);
  HeardEvents heard;
  const auto token = hub.add_hook(heard.hook(), /*may_veto=*/false);
  hub.set_generation(7);

  hub.emit(event_of("a"));
  hub.emit(event_of("b"));
  hub.stop();

  EXPECT_THAT(heard.plugins(), ElementsAre("a", "b"));
  const std::vector<PluginEvent> kept = hub.events_after(1);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].sequence, 2U);
  EXPECT_EQ(kept[0].generation, 7U);
  EXPECT_EQ(kept[0].unix_milliseconds, clock.unix_milliseconds());
}

TEST(EventHub, KeepsTheLastEventsOnly) {
  EventHub hub(system_clock());
  for (size_t i = 0; i < EventHub::kKeptEvents + 5; ++i) hub.emit(event_of("a"));
  EXPECT_EQ(hub.events_after(0).size(), EventHub::kKeptEvents);
  EXPECT_EQ(hub.events_after(0).front().sequence, 6U);
}

TEST(EventHub, TakesTheFirstVetoOfThoseWhoMay) {
  EventHub hub(system_clock());
  HeardEvents last;
  const Error no{ErrorCode::kInternal, "no"}, never{ErrorCode::kInternal, "never"};
  const auto powerless = hub.add_hook([&](const auto&) { return Status(never); }, /*may_veto=*/false);
  const auto thrower = hub.add_hook([](const auto&) -> Status { throw 3; }, /*may_veto=*/true);
  const auto first = hub.add_hook([&](const auto&) { return Status(no); }, /*may_veto=*/true);
  const auto second = hub.add_hook(last.hook(never), /*may_veto=*/true);

  const Status status = hub.ask(event_of("acme/guard"));

  EXPECT_EQ(status.error().code, ErrorCode::kPluginVetoed);
  EXPECT_THAT(status.error().message, HasSubstr("'acme/guard': no"));
  EXPECT_THAT(last.plugins(), ElementsAre("acme/guard"));  // all hear of it
  hub.emit(event_of("b"));                                 // what has happened cannot be refused
  EXPECT_TRUE(hub.events_after(0)[0].is_before);
  EXPECT_FALSE(hub.events_after(0)[1].is_before);
}

TEST(EventHub, DoesNotWaitForEverForAnAnswer) {
  EventHub hub(system_clock(), std::chrono::milliseconds(20));
  std::promise<void> go_on;
  const auto slow = hub.add_hook(
      [&](const auto&) {
        go_on.get_future().wait();
        return Status(Error{ErrorCode::kInternal, "too late"});
      },
      /*may_veto=*/true);
  EXPECT_TRUE(hub.ask(event_of("a")).ok());
  go_on.set_value();
}

TEST(EventHub, CallsNoHookWhoseTokenIsGone) {
  EventHub hub(system_clock());
  HeardEvents heard;
  std::promise<void> begun;
  std::atomic<bool> is_over = false;
  auto token = hub.add_hook(
      [&](const auto&) {
        begun.set_value();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        is_over = true;
        return Status();
      },
      /*may_veto=*/false);
  hub.emit(event_of("a"));
  begun.get_future().wait();

  token.reset();

  EXPECT_TRUE(is_over);
  hub.emit(event_of("b"));  // would set the promise twice
  hub.stop();
}

TEST(EventHub, LetsAHookTakeItselfAway) {
  EventHub hub(system_clock());
  int num_calls = 0;
  std::shared_ptr<void> token;
  std::promise<void> is_set;
  const std::shared_future<void> may_run = is_set.get_future().share();
  token = hub.add_hook(
      [&](const auto&) {
        may_run.wait();
        ++num_calls;
        token.reset();
        return Status();
      },
      /*may_veto=*/false);
  is_set.set_value();
  hub.emit(event_of("a"));
  hub.emit(event_of("b"));
  hub.stop();
  EXPECT_EQ(num_calls, 1);
}

TEST(EventHub, LetsATokenOutliveIt) {
  std::shared_ptr<void> token;
  {
    EventHub hub(system_clock());
    token = hub.add_hook([](const auto&) { return Status(); }, /*may_veto=*/false);
  }
  token.reset();
}

TEST(EventHub, AnswersWhoAsksAfterItsEnd) {
  EventHub hub(system_clock());
  hub.stop();
  EXPECT_TRUE(hub.ask(event_of("a")).ok());
  EXPECT_EQ(hub.events_after(0).size(), 1U);
}

TEST(PluginEvent, IsOneJsonObject) {
  PluginEvent event{.sequence = 3, .unix_milliseconds = 5, .plugin = "acme/guard", .version = "1.0.0"};
  event.to = PluginState::kQuarantined;
  event.reason_code = "crashed";
  event.reason = "\xff";
  EXPECT_EQ(to_json(event),
            "{\"sequence\":3,\"unix_milliseconds\":5,\"plugin\":\"acme/guard\",\"version\":\"1.0.0\","
            "\"from\":\"discovered\",\"to\":\"quarantined\",\"is_before\":false,\"generation\":0,"
            "\"reason_code\":\"crashed\",\"reason\":\"\xEF\xBF\xBD\"}");
}

TEST(PluginEvent, HasANameForEveryState) {
  for (const auto state :
       {PluginState::kDiscovered, PluginState::kValidated, PluginState::kResolved, PluginState::kStarting,
        PluginState::kProbing, PluginState::kActive, PluginState::kDraining, PluginState::kStopped,
        PluginState::kFailed, PluginState::kQuarantined}) {
    EXPECT_FALSE(plugin_state_name(state).empty());
  }
}

}  // namespace
}  // namespace llama_gpu::plugins
