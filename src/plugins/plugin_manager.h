// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "plugins/generation_store.h"
#include "plugins/plugin_event.h"
#include "plugins/plugin_protocol.h"
#include "plugins/sandbox.h"
#include "supervisor/worker_process.h"

namespace llama_gpu::plugins {

// What a manager is made with.
struct PluginManagerOptions {
  std::string folder;          // of the GenerationStore
  std::string worker_program;  // that has the verb `plugin-worker`
  Version host_version;
  bool allows_unsigned = false;
  size_t generations_kept = 10;
  std::chrono::milliseconds drain_timeout{30'000};  // for calls on the old worker after a swap
  std::chrono::milliseconds watch_window{60'000};   // after a swap, in which failures roll back
  int crash_limit = 5;                              // ends within `crash_window`: quarantined
  std::chrono::milliseconds crash_window{600'000};
  // How a plugin's process is started; none: `worker_program` with the verb, in the sandbox.
  std::function<supervisor::WorkerCommand(const PluginManifest&, const SandboxPolicy&)> make_command = {};
  const Clock* clock = &system_clock();  // outlives the manager
};

// One change that somebody asks for.
struct PluginChange {
  enum class Kind : uint8_t {
    kInstall,  // `source`: a package folder; also updates or downgrades. Enabled at once unless it was
               // disabled
    kEnable,
    kDisable,
    kReload,     // the same bytes in a new process, swapped without losing a call
    kConfigure,  // `config`; swapped in like a reload
    kRemove,
    kRollback,  // to `generation`; none: to the parent of the current one
    kRelease,   // out of quarantine
  };
  Kind kind = Kind::kInstall;
  std::string plugin = {};  // id; not for kInstall and kRollback
  std::string source = {};
  std::string config = {};
  std::optional<uint64_t> generation = {};
  bool allows_unsigned = false;
};

// What a change would do, in the order of doing.
struct ChangePlan {
  struct Step {
    std::string action;  // "install", "update", "enable", "stop", ...
    std::string plugin;
    std::string from_version, to_version;  // empty: none
  };
  std::vector<Step> steps;
  std::vector<std::string> new_permissions;  // not granted so far, each as a sentence
  std::vector<std::string> warnings;         // "unsigned", "larger host api than tested"
};

// A moment's view of one plugin. Always there for every plugin of the current generation, broken ones too.
struct PluginStatus {
  std::string id, version, digest;
  PluginState state = PluginState::kDiscovered;
  std::string reason_code, reason;  // of the state, where there is one
  int64_t since_unix_milliseconds = 0;
  bool is_enabled = false, is_required = false, is_signed = false;
  std::optional<PluginManifest> manifest;  // none where it cannot be read
  std::string config = "{}";
  PluginPermissions granted;
  int64_t pid = 0;
  int64_t restarts = 0;
  uint64_t memory_bytes = 0;
  uint64_t calls = 0, failures = 0, rejections = 0;
  double busy_seconds = 0;
  double p50_milliseconds = 0, p95_milliseconds = 0;  // of the last calls
  bool is_circuit_open = false;
  std::vector<LayerReport> sandbox;
  std::vector<std::string> log_tail;  // last lines
};

// The plugins of this server: which there are, what they do, and every change of it.
//
// Thread-safe; calls never block but those that say so. Changes run one after the other on the manager's own
// thread, each as a transaction: a new generation that is switched to once its plugins run, or nothing.
// A reload or an update starts the new process beside the old one and switches when it passed its self-test:
// calls that run on the old one end there. A plugin that fails within the watch window after a switch is
// rolled back by itself, and its package quarantined.
class PluginManager {
 public:
  // Opens the store and begins to start the plugins of its current generation; returns before they run.
  // Errors of GenerationStore::open.
  static Result<std::unique_ptr<PluginManager>> start(PluginManagerOptions options);
  virtual ~PluginManager() = default;

  // By id.
  virtual std::vector<PluginStatus> list() const = 0;
  // kPluginNotFound naming the nearest id.
  virtual Result<PluginStatus> find(std::string_view id) const = 0;
  // Whether every required plugin is active.
  virtual bool is_ready() const = 0;
  // The current generation's number.
  virtual uint64_t generation() const = 0;
  // Packages that must not run again. Blocks on the disk.
  virtual std::vector<QuarantinedPackage> quarantined() const = 0;
  // Blocks on the disk.
  virtual Result<std::vector<Generation>> generations() const = 0;

  // What `change` would do. Blocks on the disk.
  virtual Result<ChangePlan> plan(const PluginChange& change) const = 0;
  // Does it; `done` is called once, on the manager's thread, with the generation that is current then.
  // kPluginInvalid, kPluginIncompatible, kPluginUnsigned, kPluginQuarantined, kPluginFailed, kVetoed: nothing
  // has changed then.
  virtual void apply(PluginChange change, std::function<void(Result<Generation>)> done) = 0;

  // Hears of all events from now on, until the token is destroyed. `may_veto`: errors on pre-events count.
  virtual std::shared_ptr<void> add_hook(PluginEventHook hook, bool may_veto) = 0;
  // Events after `sequence` that are still kept (the last 1000).
  virtual std::vector<PluginEvent> events_after(uint64_t sequence) const = 0;

  // Whether a request has any filter to pass; cheap, for every request.
  virtual bool has_request_filters() const = 0;
  // Takes a request through all active filters in their order. `done` is called once, on the manager's thread
  // or at once: the text as it is to go on, or kPluginRejected with the filter's reason, or kPluginFailed
  // where a filter that fails closed has failed; both name the plugin.
  virtual void filter_request(FilterCall call, std::function<void(Result<FilterableText>)> done) = 0;

  // Drains and ends all plugins; blocks until their processes are gone. Called once, before destruction.
  virtual void stop() = 0;
};

// The kind's name in the API and the CLI: "install".
std::string_view plugin_change_name(PluginChange::Kind kind);

}  // namespace llama_gpu::plugins
