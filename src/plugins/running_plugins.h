// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugins/filter_chain.h"
#include "plugins/plugin_manager.h"
#include "plugins/plugin_table.h"
#include "plugins/plugin_worker.h"
#include "supervisor/supervisor.h"

namespace llama_gpu::plugins {

// A worker that has to be given up.
struct GivenUp {
  std::string worker_id;
  InstalledPlugin plugin;
  std::optional<InstalledPlugin> previous;  // to go back to
  Remedy remedy = Remedy::kQuarantine;
  std::string reason;
};

// The processes of all plugins: started beside each other, tried, and switched between without losing a
// call. Thread-safe; what blocks says so.
class RunningPlugins final : private PluginWorker::Owner {
 public:
  // What a plugin's place changes to, all at one moment.
  struct Switch {
    PluginStatus row;                           // of the table; its state is the worker's, where there is one
    bool is_listed = true;                      // false: the row goes
    std::shared_ptr<PluginWorker> worker = {};  // null: none runs
    bool keeps_row = false;                     // the row stays with the old worker until it is gone
    std::optional<InstalledPlugin> previous = {};  // see PluginWorker::begin_service
  };

  // `table` and `events` outlive this; `on_given_up` is called on the supervisor thread.
  static Result<std::unique_ptr<RunningPlugins>> start(const PluginManagerOptions& options,
                                                       PluginTable& table, EventHub& events,
                                                       std::function<void(GivenUp)> on_given_up);
  ~RunningPlugins() override;

  // Starts a process beside whatever runs.
  std::shared_ptr<PluginWorker> start_worker(const InstalledPlugin& plugin, PluginPackage package,
                                             const std::string& data_folder);
  // Blocks until all take calls. The first failure, or kShuttingDown.
  Status wait_until_tried(const std::vector<std::shared_ptr<PluginWorker>>& workers);
  // Ends workers that never served.
  void discard(const std::vector<std::shared_ptr<PluginWorker>>& workers);
  // Switches at one moment between two calls; those that run on an old worker end there. Blocks until it is
  // done. `reason_code`: of the events.
  void switch_to(std::vector<Switch> switches, const std::string& reason_code);

  // Lets calls wait for the first switch: nobody knows yet what filters there are.
  void hold_calls() { is_holding_ = true; }
  bool has_request_filters() const { return is_holding_ || num_filters_ > 0; }
  void filter_request(FilterCall call, std::function<void(Result<FilterableText>)> done);
  // Tells the event listeners among the plugins.
  void tell(const PluginEvent& event);

  // By worker id: pid, restarts, memory.
  std::map<std::string, supervisor::WorkerStatus> processes() const;

  // Waits no more for trials.
  void begin_stop();
  // Drains and ends all; blocks until their processes are gone.
  void stop();

 private:
  struct Place {
    std::shared_ptr<PluginWorker> worker;  // null: none runs
    std::optional<HostedFilter> filter;
  };

  RunningPlugins(const PluginManagerOptions& options, PluginTable& table, EventHub& events,
                 std::function<void(GivenUp)> on_given_up);

  void on_tried(PluginWorker& worker, Status outcome) override;
  void on_given_up(PluginWorker& worker, Remedy remedy, const std::string& reason) override;

  bool run_on_supervisor(std::function<void()> task);
  void switch_one(Switch& change, const std::string& reason_code);
  void end_worker(const std::shared_ptr<PluginWorker>& worker);
  std::optional<HostedFilter> filter_of(const Switch& change);
  void list_filters();
  void release_calls();

  const PluginManagerOptions& options_;
  PluginTable& table_;
  EventHub& events_;
  const std::function<void(GivenUp)> on_given_up_;
  std::atomic<size_t> num_filters_{0}, num_listeners_{0};
  std::atomic<bool> is_holding_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::map<std::string, std::shared_ptr<PluginWorker>> workers_;  // by worker id; until they are gone
  std::map<std::string, Status> trials_;                          // by worker id, once they are over
  uint64_t last_worker_ = 0;
  bool is_stopping_ = false;
  // Supervisor thread.
  std::map<std::string, Place> places_;  // by plugin id
  std::vector<HostedFilter> filters_;
  std::vector<std::function<void()>> held_;  // calls

  std::unique_ptr<supervisor::Supervisor> supervisor_;  // ends first: its sessions are above
};

}  // namespace llama_gpu::plugins
