// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "supervisor/model_host.h"

namespace llama_gpu::supervisor {

using std::chrono::milliseconds;

// When a worker counts as failed, and what is done then.
struct WorkerPolicy {
  milliseconds handshake_timeout{30'000};  // from spawn to hello
  milliseconds load_timeout{900'000};      // from hello to ready
  milliseconds unready_silence{1'500};     // no heartbeat for so long: not ready, nothing worse
  milliseconds hung_silence{35'000};       // longer than a stop of half a minute, which is forgiven
  milliseconds stalled_step{180'000};      // busy, alive, but no step ends
  milliseconds drain_timeout{5'000};       // from stop to SIGTERM
  milliseconds kill_grace{2'000};          // from SIGABRT or SIGTERM to SIGKILL
  milliseconds first_backoff{100};         // doubles with each end in a row
  milliseconds longest_backoff{30'000};
  milliseconds longest_crash_backoff{60'000};  // where it ended by itself: each time costs requests
  milliseconds proven_after{10'000};           // ready for so long: the next end is the first in a row again
};

// The exit code of a worker that somebody other than its supervisor told to stop: as a shell reports SIGTERM.
inline constexpr int kExitAfterSigterm = 143;

// How a worker's process ended, as the system tells it.
struct ProcessEnd {
  int signal = 0;                  // 0: it exited
  int exit_code = 0;               // where signal is 0
  bool was_out_of_memory = false;  // the system killed for memory at that time
  std::string log_tail = {};
};

// What the supervisor has to do now.
struct WorkerAction {
  enum class Kind : uint8_t { kSpawn, kLoad, kDrain, kSignal };
  Kind kind = Kind::kSpawn;
  int signal = 0;
  std::string reason = {};  // for the log, where a signal is sent
  friend bool operator==(const WorkerAction& a, const WorkerAction& b) {
    return a.kind == b.kind && a.signal == b.signal;
  }
};
using WorkerActions = std::vector<WorkerAction>;

// Decides over one worker: events in, actions out. Pure: no process, no clock; one thread.
//
//   kStarting -hello-> kLoading -loaded-> kReady -stop-> kDraining -exit-> kStopped
//       ^                  |                 |               | told so by others
//       '---- kBackoff <---+------ exit -----+---------------'
//
// No end is final but one that was asked for: it is tried again without end, in growing intervals. Only where
// the model file is at fault, kFailed, that is of no use until the file is another.
//
// Time in which the supervisor itself did not run (a stopped or starved server) is not held against the
// worker: between two events at most a second counts.
class WorkerLife {
 public:
  WorkerLife(const WorkerPolicy& policy, SteadyTime now) : policy_(policy), last_event_(now) {}

  // Events, each with the time it was seen. `on_tick` comes often, and first of all.
  WorkerActions on_tick(SteadyTime now);
  WorkerActions on_greeted(SteadyTime now);
  WorkerActions on_loaded(SteadyTime now);
  WorkerActions on_load_failed(SteadyTime now, const Error& error);
  // `progress` grows with each step; `is_busy`: it should grow.
  WorkerActions on_heartbeat(SteadyTime now, bool is_busy, uint64_t progress);
  // It finishes what runs and takes nothing new: somebody told it to.
  WorkerActions on_draining(SteadyTime now);
  // It broke the protocol.
  WorkerActions on_fault(SteadyTime now, const Error& error);
  WorkerActions on_exit(SteadyTime now, ProcessEnd end);
  WorkerActions on_spawn_failed(SteadyTime now, const Error& error);
  // The model file is not the one that was tried last.
  WorkerActions on_file_changed(SteadyTime now);
  // It is not started again once it has ended: the server drains.
  void let_end();
  // Ends it for good. What runs in a ready worker may finish first.
  WorkerActions on_stop(SteadyTime now);
  // Ends it for good and at once, also where it is being stopped: what runs in it is lost.
  WorkerActions on_kill(SteadyTime now);

  WorkerState state() const { return state_; }
  // Ready, and heard of lately.
  bool is_ready() const;
  bool is_over() const { return state_ == WorkerState::kStopped; }
  int64_t restarts() const { return restarts_; }
  const std::optional<WorkerExit>& last_exit() const { return last_exit_; }
  // Whether the last end was the worker's doing, not somebody's `kill -9` or stop, nor the system's.
  bool failed_by_itself() const { return failed_by_itself_; }
  // How long on_tick can wait.
  milliseconds until_next_tick() const;

 private:
  struct Ending {
    ExitKind kind;
    std::string message;
  };

  void charge(SteadyTime now);
  void enter(WorkerState state);
  WorkerActions start_again();
  WorkerActions end_worker(Ending ending, int signal);
  WorkerActions check_ending();
  WorkerActions check_silence();
  WorkerActions check_drain();
  WorkerExit classify(ProcessEnd end) const;
  void after_exit();

  WorkerPolicy policy_;
  SteadyTime last_event_;
  WorkerState state_ = WorkerState::kStarting;
  bool has_process_ = false;
  bool is_stop_asked_ = false;
  bool may_restart_ = true;
  bool was_terminated_ = false;   // SIGTERM was sent
  bool was_killed_ = false;       // SIGKILL was sent
  std::optional<Ending> ending_;  // we end it, or it said why it will
  std::optional<Error> load_error_;
  milliseconds in_state_{0}, silence_{0}, stall_{0}, since_signal_{0};
  milliseconds backoff_{0};
  uint64_t progress_ = 0;
  bool is_busy_ = false;
  bool was_proven_ = false;
  bool failed_by_itself_ = false;
  int ends_in_a_row_ = 0;
  int64_t restarts_ = 0;
  std::optional<WorkerExit> last_exit_;
};

}  // namespace llama_gpu::supervisor
