// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "plugins/plugin_protocol.h"
#include "supervisor/worker_session.h"

namespace llama_gpu::plugins {

// How a plugin's process ended.
struct PluginEnd {
  supervisor::WorkerExit exit;
  std::string reason_code;  // crashed, timed_out, protocol_broken, start_failed, self_test_failed, stopped
  std::string reason;
  bool will_restart = false;   // another is started by itself
  bool was_its_fault = false;  // not killed from outside
};

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
    // A new process runs; then it said hello, and tests itself; then it takes calls.
    virtual void on_starting() = 0;
    virtual void on_probing() = 0;
    virtual void on_active() = 0;
    virtual void on_ended(const PluginEnd& end) = 0;
    // Why it says that it is not well; empty: it is well again.
    virtual void on_health(const std::string& failing) = 0;
    virtual void on_log(const PluginLogLine& line) = 0;
    // A line on its stderr; the first one of each process says so.
    virtual void on_stderr(const std::string& line, bool is_first) = 0;
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
  // concurrent_calls plus as many that wait; kRequestTooLarge where no message can hold it.
  void filter_request(FilterCall call, std::function<void(Result<FilterVerdict>)> done);
  // Tells of an event; dropped where the worker is not active or far behind.
  void tell(std::string_view event_json);

  bool is_active() const { return is_active_; }
  // Active, or about to be for the first time: calls wait for that, but no longer than an answer may take.
  bool takes_calls() const { return !told_to_end_ && (is_active_ || is_new_); }
  size_t num_open_calls() const { return open_.size() + waiting_.size(); }
  const PluginCost& cost() const { return cost_; }

  // supervisor::WorkerSession.
  void attach(supervisor::WorkerLink& link) override { link_ = &link; }
  void on_spawned() override;
  void on_load() override;
  void on_ready() override;
  void on_room() override { send_waiting(); }
  Status on_frame(const supervisor::Frame& frame) override;
  void on_drain() override;
  void on_exit(const supervisor::WorkerExit& exit, supervisor::WorkerState next, bool was_its_fault) override;
  void on_tick(SteadyTime now) override;
  std::chrono::milliseconds until_next_tick() const override;
  void on_log_line(const std::string& line) override;
  void describe(supervisor::WorkerStatus& status) const override;

 private:
  // A filter call.
  struct Call {
    FilterCall call;
    std::function<void(Result<FilterVerdict>)> done;
    SteadyTime deadline = {};  // of its answer; before it is sent, of the start that it waits for
    SteadyTime sent_at = {};
    bool is_late = false;  // seen once after its deadline: its answer may lie in the socket still
  };
  // Why we end it, or why it will end.
  struct Fault {
    std::string reason_code;
    std::string reason;
  };

  void send_waiting();
  // False where it is to be tried again later.
  bool send(Call& call);
  void request(std::string_view payload);
  Status on_reply(const PluginReply& reply);
  Status on_initialized(const Result<Json>& result);
  Status on_self_test(const Result<Json>& result);
  Status on_health(const Result<Json>& result);
  Status on_verdict(Call call, const Result<Json>& result);
  void finish(Call call, Result<FilterVerdict> verdict);
  void fail_all(const std::string& reason);
  void fail_start(std::string reason_code, const Error& error);
  void check_deadlines(SteadyTime now);
  void check_start(SteadyTime now);
  void ask_health(SteadyTime now);
  void send_shutdown();
  void end_it(Fault fault);
  Status break_with(std::string reason);
  Fault explain(const supervisor::WorkerExit& exit, bool was_its_fault) const;

  const Plugin plugin_;
  Listener& listener_;
  const Clock& clock_;
  supervisor::WorkerLink* link_ = nullptr;
  PluginCost cost_;

  uint64_t last_id_ = 0;
  std::map<uint64_t, Call> open_;  // sent, by id: in order of sending
  std::deque<Call> waiting_;
  bool is_new_ = true;  // the first process neither became active nor ended
  // Of the process that runs.
  uint64_t initialize_id_ = 0, self_test_id_ = 0, health_id_ = 0;  // while their answers are awaited
  bool is_active_ = false, is_draining_ = false, has_log_ = false, was_greeted_ = false, was_active_ = false;
  std::optional<Fault> fault_;
  std::string failing_;
  SteadyTime health_asked_ = {}, last_tick_ = {};
  std::optional<SteadyTime> told_to_end_;
};

}  // namespace llama_gpu::plugins
