// SPDX-License-Identifier: Apache-2.0
#include "plugins/plugin_table.h"

#include <gmock/gmock.h>

#include "base/clock_fake.h"

namespace llama_gpu::plugins {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PluginTableTest : public testing::Test {
 protected:
  static PluginStatus row(const std::string& id, PluginState state = PluginState::kActive) {
    PluginStatus row;
    row.id = id;
    row.version = "1.0.0";
    row.digest = "d1";
    row.state = state;
    row.is_enabled = true;
    return row;
  }
  PluginStatus status(const std::string& id = "a") { return table_.row(id).value().status; }
  std::vector<std::string> events() const {
    std::vector<std::string> all;
    for (const PluginEvent& event : events_.events_after(0)) {
      all.push_back(std::string(plugin_state_name(event.from)) + " to " +
                    std::string(plugin_state_name(event.to)) + " " + event.reason_code);
    }
    return all;
  }

  FakeClock clock_;
  EventHub events_{clock_};
  PluginTable table_{events_, clock_};
};

TEST_F(PluginTableTest, ListsRowsById) {
  table_.put(row("b"), "");
  table_.put(row("a"), "");
  EXPECT_THAT(table_.ids(), ElementsAre("a", "b"));
  EXPECT_EQ(table_.rows().size(), 2U);
  table_.drop("a");
  EXPECT_FALSE(table_.row("a").has_value());
}

TEST_F(PluginTableTest, BelievesOnlyTheWorkerThatARowBelongsTo) {
  table_.put(row("a"), "w1");
  table_.enter("a", "w2", {PluginState::kFailed, "crashed", ""});
  table_.set_circuit("a", "w2", true);
  table_.set_health("a", "w2", "ill");
  table_.set_sandbox("a", "w2", {{SandboxLayer::kLandlock, true, ""}});
  EXPECT_EQ(status().state, PluginState::kActive);
  EXPECT_FALSE(status().is_circuit_open);
  EXPECT_THAT(status().sandbox, IsEmpty());
  EXPECT_THAT(events(), ElementsAre("discovered to active "));

  clock_.advance(std::chrono::seconds(1));
  table_.enter("a", "w1", {PluginState::kFailed, "crashed", "SIGSEGV"});
  table_.set_sandbox("a", "w1", {{SandboxLayer::kLandlock, true, ""}});
  EXPECT_EQ(status().reason, "SIGSEGV");
  EXPECT_EQ(status().since_unix_milliseconds, clock_.unix_milliseconds());
  EXPECT_EQ(status().sandbox.size(), 1U);
  EXPECT_THAT(events(), ElementsAre("discovered to active ", "active to failed crashed"));
}

TEST_F(PluginTableTest, TellsOfChangesOfTheCircuitOnly) {
  table_.put(row("a"), "w1");
  table_.set_circuit("a", "w1", false);
  table_.set_circuit("a", "w1", true);
  table_.set_circuit("a", "w1", true);
  table_.set_circuit("a", "w1", false);
  EXPECT_THAT(events(), ElementsAre("discovered to active ", "active to active circuit_opened",
                                    "active to active circuit_closed"));
}

TEST_F(PluginTableTest, KeepsCountersOverVersionsButNotTheirTimes) {
  table_.put(row("a"), "w1");
  table_.count_call("a", 0.5, false);
  table_.count_call("a", 1.5, true);
  table_.count_failure("a");
  table_.count_rejection("a");
  table_.count_call("unknown", 1, true);
  EXPECT_EQ(status().p50_milliseconds, 500);
  EXPECT_EQ(status().p95_milliseconds, 1'500);

  PluginStatus next = row("a");
  next.digest = "d2";
  table_.put(next, "w2");

  EXPECT_EQ(status().calls, 2U);
  EXPECT_EQ(status().failures, 2U);
  EXPECT_EQ(status().rejections, 1U);
  EXPECT_EQ(status().busy_seconds, 2);
  EXPECT_EQ(status().p50_milliseconds, 0);
}

TEST_F(PluginTableTest, KeepsTheLastLinesOfTheLog) {
  table_.put(row("a"), "w1");
  for (size_t i = 0; i < PluginTable::kLogLines + 3; ++i) table_.add_log_line("a", std::to_string(i));
  EXPECT_EQ(status().log_tail.size(), PluginTable::kLogLines);
  EXPECT_EQ(status().log_tail.front(), "3");
}

TEST_F(PluginTableTest, IsReadyWithoutWhatIsNotRequiredOrNotEnabled) {
  table_.put(row("optional", PluginState::kFailed), "");
  PluginStatus disabled = row("disabled", PluginState::kStopped), required = row("required");
  disabled.is_required = required.is_required = true;
  disabled.is_enabled = false;
  table_.put(disabled, "");
  table_.put(required, "w1");
  EXPECT_TRUE(table_.is_ready());
  table_.enter("required", "w1", {PluginState::kStarting});
  EXPECT_FALSE(table_.is_ready());
}

}  // namespace
}  // namespace llama_gpu::plugins
