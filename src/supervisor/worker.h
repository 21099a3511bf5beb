// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "supervisor/frame_socket.h"
#include "supervisor/log_tail.h"
#include "supervisor/worker_life.h"
#include "supervisor/worker_process.h"
#include "supervisor/worker_session.h"

namespace llama_gpu::supervisor {

// Everything that a worker is made with.
struct WorkerSpec {
  std::string id;  // unique among the supervisor's workers: "engine-0"
  WorkerCommand command;
  WorkerPolicy policy;
  size_t max_waiting_bytes = size_t{64} << 20;  // sent, but not taken by the process yet
};

// One worker through all its restarts: carries out what WorkerLife decides, moves bytes between the process
// and the session, and logs. Supervisor thread only.
class Worker final : private WorkerLink {
 public:
  // Descriptors to wait for; -1 for none. They change only in act() and the on_ functions. Those of another
  // process are closed.
  struct WaitFor {
    uint64_t process = 0;  // counts them; 0 for none
    int exit_fd = -1, socket_fd = -1, log_fd = -1;
    bool wants_to_send = false;
  };

  // `session` and `clock` outlive the worker. `on_change` is called whenever its state has changed, before
  // the session hears of it, so that nobody learns of a failure from a request while the state still says
  // ready.
  Worker(WorkerSpec spec, WorkerSession& session, const Clock& clock, std::function<void()> on_change);

  // Does what is due by now.
  void on_tick();
  void on_socket();
  void on_log();
  void on_exit();
  // Sends what a session queued since.
  void flush();
  // Does not start it again once it has ended.
  void let_end();
  // Ends it for good; is_over() once it has gone.
  void stop();
  // The same, without waiting for what runs in it.
  void kill();

  const std::string& id() const { return spec_.id; }
  bool is_over() const { return life_.is_over(); }
  milliseconds until_next_tick() const;
  WaitFor wait_for() const;
  WorkerStatus status() const;
  // Grows whenever status() may have changed.
  uint64_t version() const { return version_; }

 private:
  Status send(std::string_view frame) override;
  void send_always(std::string_view frame) override;
  void report_greeted() override;
  void report_loaded() override;
  void report_load_failed(const Error& error) override;
  void report_heartbeat(bool is_busy, uint64_t progress) override;
  void report_draining() override;
  void report_file_changed() override;
  void report_fault(const Error& error) override;

  void act(const WorkerActions& actions);
  void spawn();
  void receive_frames(size_t max_reads);
  Status handle_frames();
  void read_log(size_t max_reads);
  void log_line(const std::string& line);
  void note_change();

  WorkerSpec spec_;
  WorkerSession& session_;
  const Clock& clock_;
  std::function<void()> on_change_;
  WorkerLife life_;
  std::optional<WorkerProcess> process_;
  uint64_t num_processes_ = 0;  // so far
  bool has_closed_socket_ = false;
  bool has_closed_log_ = false;
  FrameDecoder decoder_;
  SendBuffer out_;
  std::optional<LogTail> log_tail_;
  SteadyTime log_period_start_, oom_noted_, status_noted_;
  size_t log_period_bytes_ = 0;
  WorkerState seen_state_ = WorkerState::kStarting;
  bool seen_ready_ = false;
  pid_t seen_pid_ = 0;
  uint64_t version_ = 1;
  int64_t since_unix_seconds_ = 0;
};

}  // namespace llama_gpu::supervisor
