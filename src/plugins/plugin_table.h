// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "plugins/event_hub.h"
#include "plugins/latency_window.h"
#include "plugins/plugin_manager.h"

namespace llama_gpu::plugins {

// A state and why.
struct StateReason {
  PluginState state = PluginState::kDiscovered;
  std::string reason_code = {};
  std::string reason = {};
};

// What is known of each plugin: the rows that lists show. A row belongs to one worker at a time, and only
// that one's news count. Thread-safe.
class PluginTable {
 public:
  static constexpr size_t kLogLines = 100;

  // Both outlive the table.
  PluginTable(EventHub& events, const Clock& clock) : events_(events), clock_(clock) {}

  // Adds a row, or makes it that of another version, config or worker ("": none); its counters go on. Emits
  // the event of the change of state.
  void put(PluginStatus row, std::string worker_id);
  // Takes the row away.
  void drop(const std::string& id);
  // A change of state, with its event; nothing where the row is another worker's.
  void enter(const std::string& id, std::string_view worker_id, StateReason to);
  // Why an active plugin is not well; "" for well.
  void set_health(const std::string& id, std::string_view worker_id, const std::string& failing);
  void set_sandbox(const std::string& id, std::string_view worker_id, std::vector<LayerReport> reports);
  void set_circuit(const std::string& id, std::string_view worker_id, bool is_open);
  // Kept whichever worker it comes from.
  void add_log_line(const std::string& id, std::string line);
  // A call that was sent.
  void count_call(const std::string& id, double seconds, bool has_failed);
  // A request that failed without a call.
  void count_failure(const std::string& id);
  void count_rejection(const std::string& id);

  // A row with the worker that it belongs to.
  struct Row {
    PluginStatus status;
    std::string worker_id;
  };
  // By id; without what only the supervisor knows.
  std::vector<Row> rows() const;
  std::optional<Row> row(std::string_view id) const;
  std::vector<std::string> ids() const;
  // Whether all that are required and enabled are active.
  bool is_ready() const;

 private:
  struct Entry {
    PluginStatus status;
    std::string worker_id;
    LatencyWindow latency;
    std::deque<std::string> log;
  };

  static Row view(const Entry& entry);
  void change(const std::string& id, const std::function<void(Entry&)>& change);
  void change_of_worker(const std::string& id, std::string_view worker_id,
                        const std::function<void(Entry&)>& change);

  EventHub& events_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;  // guarded by mutex_
};

}  // namespace llama_gpu::plugins
