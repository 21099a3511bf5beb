// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "plugins/circuit_breaker.h"
#include "plugins/filter_chain.h"
#include "plugins/generation_store.h"
#include "plugins/plugin_session.h"
#include "plugins/plugin_table.h"
#include "supervisor/worker_life.h"

namespace llama_gpu::plugins {

// When a plugin that fails is given up.
struct CrashLimits {
  std::chrono::milliseconds watch_window{60'000};
  int watch_limit = 3;  // ends while it is watched: rolled back
  int crash_limit = 5;  // ends within `crash_window`: quarantined
  std::chrono::milliseconds crash_window{600'000};
};

// What has to be done about a plugin.
enum class Remedy : uint8_t { kRollBack, kQuarantine };

// One version of a plugin with one config, in a process that is started again when it ends: hears what its
// session tells, counts its failures, and says when it has to be given up. Supervisor thread, where nothing
// else is said.
class PluginWorker final : private PluginSession::Listener {
 public:
  // Supervisor thread; must not block.
  class Owner {
   public:
    virtual ~Owner() = default;
    // Once: it takes calls, or its first process ended before it did.
    virtual void on_tried(PluginWorker& worker, Status outcome) = 0;
    // Once: it must not go on.
    virtual void on_given_up(PluginWorker& worker, Remedy remedy, const std::string& reason) = 0;
  };
  struct Spec {
    std::string id;  // "plugin-acme/guard-3"
    InstalledPlugin plugin;
    PluginPackage package;
    std::string data_folder;
    CrashLimits limits;
  };
  // What it works with; outlives it.
  struct Surroundings {
    Owner& owner;
    PluginTable& table;
    EventHub& events;
    const Clock& clock;
  };

  PluginWorker(Spec spec, const Surroundings& with);

  // Any thread.
  const std::string& id() const { return spec_.id; }
  const InstalledPlugin& plugin() const { return spec_.plugin; }
  const PluginPackage& package() const { return spec_.package; }
  const PluginManifest& manifest() const { return spec_.package.manifest; }

  PluginSession& session() { return session_; }
  // Where it is now, as its row would say.
  const StateReason& state() const { return state_; }
  const std::vector<LayerReport>& sandbox() const { return sandbox_; }
  // What it goes back to, while it is watched.
  std::optional<InstalledPlugin> previous() const { return is_watched() ? previous_ : std::nullopt; }

  // It serves from now on. `previous` is what it goes back to where it fails soon; none: it is not watched.
  void begin_service(std::optional<InstalledPlugin> previous);
  // It is being ended: no failure counts any more.
  void begin_leaving(const std::string& reason_code);
  // Its process is gone for good.
  void note_gone();

  // Asks the filter, unless its circuit is open.
  void filter_request(const FilterCall& call, std::function<void(Result<FilterVerdict>)> done);

 private:
  void on_starting() override;
  void on_probing() override;
  void on_active() override;
  void on_ended(const PluginEnd& end) override;
  void on_health(const std::string& failing) override;
  void on_log(const PluginLogLine& line) override;
  void on_stderr(const std::string& line, bool is_first) override;
  void on_call(double seconds, bool has_failed) override;

  void enter(StateReason to);
  void keep_line(std::string line);
  void try_ended(Status outcome);
  Error failed_trial(const PluginEnd& end) const;
  bool is_watched() const;
  void judge_end(const PluginEnd& end);
  void give_up(Remedy remedy, const std::string& reason);
  void settle(const Result<FilterVerdict>& verdict);

  const Spec spec_;
  const Surroundings with_;
  PluginSession session_;
  CircuitBreaker breaker_;
  StateReason state_{PluginState::kResolved};
  std::vector<LayerReport> sandbox_;
  bool was_tried_ = false, is_serving_ = false, is_leaving_ = false, is_given_up_ = false;
  bool is_end_counted_ = false;  // by the circuit breaker
  std::optional<InstalledPlugin> previous_;
  SteadyTime watched_until_, log_period_start_;
  size_t log_period_bytes_ = 0;
  std::deque<std::string> early_lines_;  // of its log
  std::deque<SteadyTime> ends_;          // by its own fault, within the crash window
};

// How the supervisor treats a plugin's process.
supervisor::WorkerPolicy worker_policy(const PluginLimits& limits, std::chrono::milliseconds drain_timeout);

}  // namespace llama_gpu::plugins
