// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "supervisor/frame.h"
#include "supervisor/model_host.h"

namespace llama_gpu::supervisor {

// A session's way to its worker, and to the supervisor that watches it. Supervisor thread only.
class WorkerLink {
 public:
  virtual ~WorkerLink() = default;

  // Queues an encoded frame. kOverloaded where too much waits already, until on_room(); a worker that is gone
  // takes it silently.
  virtual Status send(std::string_view frame) = 0;
  // The same for short messages that must get through.
  virtual void send_always(std::string_view frame) = 0;

  // What the worker said of itself; see WorkerLife.
  virtual void report_greeted() = 0;
  virtual void report_loaded() = 0;
  virtual void report_load_failed(const Error& error) = 0;
  virtual void report_heartbeat(bool is_busy, uint64_t progress) = 0;
  virtual void report_draining() = 0;
  virtual void report_file_changed() = 0;
  // It took too long, or lied: it is killed.
  virtual void report_fault(const Error& error) = 0;
};

// What one kind of worker is asked and answers: the supervisor knows processes, a session knows the protocol.
// One session goes with its worker through all restarts. Called on the supervisor thread; must not block.
class WorkerSession {
 public:
  virtual ~WorkerSession() = default;

  // Once, before anything else; `link` outlives the session's use.
  virtual void attach(WorkerLink& link) = 0;
  // A new process runs: greet it.
  virtual void on_spawned() = 0;
  // It was greeted: have it load.
  virtual void on_load() = 0;
  // It can serve now.
  virtual void on_ready() = 0;
  // It has taken some of what was sent: send() may take more.
  virtual void on_room() = 0;
  // A frame of it. An error ends the worker.
  virtual Status on_frame(const Frame& frame) = 0;
  // Have it end once it has finished what runs.
  virtual void on_drain() = 0;
  // Its process is gone; `next` is kBackoff, kFailed or kStopped. `was_its_fault`: not killed from outside.
  virtual void on_exit(const WorkerExit& exit, WorkerState next, bool was_its_fault) = 0;
  // Several times a second.
  virtual void on_tick(SteadyTime now) = 0;
  // How long on_tick can wait, where that is less than usual.
  virtual std::chrono::milliseconds until_next_tick() const { return std::chrono::milliseconds(1'000); }
  // A whole line that it wrote on stderr, escaped.
  virtual void on_log_line(const std::string& /*line*/) {}
  // Adds what it knows: model, stats, memory.
  virtual void describe(WorkerStatus& status) const = 0;
};

}  // namespace llama_gpu::supervisor
