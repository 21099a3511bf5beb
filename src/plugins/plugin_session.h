// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "plugins/plugin_protocol.h"
#include "supervisor/worker_session.h"

namespace llama_gpu::plugins {

// What one plugin worker has cost so far.
struct PluginCost {
  uint64_t calls = 0, failures = 0;
  double busy_seconds = 0;  // between call and answer
};

// Speaks with one plugin worker: greets it, has it test itself, sends hook calls and watches their deadlines.
// A call that is not answered in time ends the process. Supervisor thread only.
class PluginSession final : public supervisor::WorkerSession {
 public:
  // Hears of the worker. Supervisor thread; must not block.
  class Listener {
   public:
    virtual ~Listener() = default;
    // It passed its self-test and takes calls.
    virtual void on_active() = 0;
    // Its process is gone. `will_restart`: another is started by itself.
    virtual void on_ended(const supervisor::WorkerExit& exit, bool will_restart) = 0;
    virtual void on_log(const PluginLogLine& line) = 0;
    // A call took this long, and failed or not.
    virtual void on_call(double seconds, bool has_failed) = 0;
  };

  // What a worker is started for.
  struct Plugin {
    PluginManifest manifest;
    std::string config = "{}";
    std::string data_folder;
  };

  // `listener` and `clock` outlive the session.
  PluginSession(Plugin plugin, Listener& listener, const Clock& clock);

  // Asks the filter. `done` is called once, on this thread: kPluginFailed with the reason where the worker is
  // gone, broke the protocol, or took longer than the manifest's call_timeout; kOverloaded beyond
  // concurrent_calls plus as many that wait.
  void filter_request(FilterCall call, std::function<void(Result<FilterVerdict>)> done);
  // Tells of an event; dropped where the worker is not active or far behind.
  void tell(std::string_view event_json);

  bool is_active() const;
  size_t num_open_calls() const;
  const PluginCost& cost() const;

  // supervisor::WorkerSession.
  void attach(supervisor::WorkerLink& link) override;
  void on_spawned() override;
  void on_load() override;
  void on_ready() override;
  void on_room() override;
  Status on_frame(const supervisor::Frame& frame) override;
  void on_drain() override;
  void on_exit(const supervisor::WorkerExit& exit, supervisor::WorkerState next, bool was_its_fault) override;
  void on_tick(SteadyTime now) override;
  void describe(supervisor::WorkerStatus& status) const override;

 private:
  // Private members are the implementer's to choose.
};

}  // namespace llama_gpu::plugins
