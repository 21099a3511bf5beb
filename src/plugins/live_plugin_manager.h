// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugins/change_planner.h"
#include "plugins/event_hub.h"
#include "plugins/plugin_manager.h"
#include "plugins/plugin_table.h"
#include "plugins/running_plugins.h"
#include "plugins/task_thread.h"

namespace llama_gpu::plugins {

// The PluginManager of a server: plans changes over the store, has them carried out by processes, and commits
// what runs. Changes, and what failing plugins bring about, are tasks of one thread; hooks hear of them on
// the hub's thread, and requests pass on the supervisor's.
class LivePluginManager final : public PluginManager {
 public:
  LivePluginManager(PluginManagerOptions options, GenerationStore store);
  // Once, first of all.
  Status start_processes();
  ~LivePluginManager() override;

  std::vector<PluginStatus> list() const override;
  Result<PluginStatus> find(std::string_view id) const override;
  bool is_ready() const override { return table_.is_ready(); }
  uint64_t generation() const override { return events_.generation(); }
  std::vector<QuarantinedPackage> quarantined() const override;
  Result<std::vector<Generation>> generations() const override;
  Result<ChangePlan> plan(const PluginChange& change) const override;
  void apply(PluginChange change, std::function<void(Result<Generation>)> done) override;
  std::shared_ptr<void> add_hook(PluginEventHook hook, bool may_veto) override;
  std::vector<PluginEvent> events_after(uint64_t sequence) const override;
  bool has_request_filters() const override { return running_->has_request_filters(); }
  void filter_request(FilterCall call, std::function<void(Result<FilterableText>)> done) override;
  void stop() override;

 private:
  using Workers = std::vector<std::shared_ptr<PluginWorker>>;
  // A plugin of the current generation, looked at before it is started.
  struct Checked {
    InstalledPlugin plugin;
    std::optional<PluginPackage> package;  // none where it cannot be read
    StateReason state;                     // kResolved: it may start
  };

  // Tasks of the change thread.
  void start_current();
  Result<Generation> change(const PluginChange& change);
  Result<Generation> release(const std::string& id);
  void give_up(const GivenUp& given_up);

  Checked check(const InstalledPlugin& plugin) const;
  void resolve(std::vector<Checked>& all) const;
  Status check_signature(const PluginChange& change) const;
  Status ask_hooks(const PluginChange& change, const ChangePlan& plan);
  Result<Generation> carry_out(const PlannedChange& planned, bool is_watched);
  Result<Workers> start_workers(const std::vector<InstalledPlugin>& plugins);
  Result<Generation> commit(const PlannedChange& planned);
  std::vector<RunningPlugins::Switch> switches(const Generation& old, const PlannedChange& planned,
                                               const Workers& workers) const;
  void collect();
  bool roll_back(const GivenUp& given_up, std::string& reason);
  void quarantine(const GivenUp& given_up, const std::string& reason);
  bool keep_in_quarantine(const InstalledPlugin& plugin, const std::string& reason);
  void complete(PluginStatus& status, const std::string& worker_id,
                const std::map<std::string, supervisor::WorkerStatus>& processes) const;
  Generation current() const;

  const PluginManagerOptions options_;
  mutable std::mutex store_mutex_;
  GenerationStore store_;  // guarded by store_mutex_
  EventHub events_;
  PluginTable table_;
  std::unique_ptr<RunningPlugins> running_;
  std::shared_ptr<void> listeners_;  // the hook that tells plugins
  std::atomic<bool> is_stopping_{false};
  TaskThread thread_;
};

}  // namespace llama_gpu::plugins
