// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "supervisor/unique_fd.h"
#include "supervisor/worker_life.h"

namespace llama_gpu::supervisor {

// The descriptor at which every worker finds its socket.
inline constexpr int kWorkerSocketFd = 3;

// The program that workers run.
struct WorkerCommand {
  std::string program = "/proc/self/exe";  // this program, also when its file was replaced since
  std::vector<std::string> arguments = {"llama-gpu", "engine-worker", "--fd",
                                        std::to_string(kWorkerSocketFd)};
  // Names of this program's own settings that hold secrets.
  std::vector<std::string> secret_variables = {};
  // All that it finds in its environment ("NAME=value"), in place of this program's.
  std::optional<std::vector<std::string>> environment = std::nullopt;
  // Whether it leads a process group of its own: signals reach its children too, and what is left of them
  // is killed at its end.
  bool leads_group = false;
};

// How many processes the system has killed for memory since it started, by the counter in a file of the form
// of /proc/vmstat; 0 where there is none.
uint64_t count_oom_kills(const std::string& vmstat_path = "/proc/vmstat");

// A child process with a socket to it and its stderr. stdin and stdout are /dev/null; nothing else is
// inherited, and of the environment nothing whose name says that it is a secret.
//
// Destroying it kills and reaps the child. One thread, the same for its whole life: the child asks to die
// with the thread that started it.
class WorkerProcess {
 public:
  // kIoFailed where the system has no process, descriptor or program for it.
  static Result<WorkerProcess> spawn(const WorkerCommand& command);
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  ~WorkerProcess();

  pid_t pid() const { return pid_; }
  // Non-blocking, for poll: readable at the end of the process; the messages; the log.
  int exit_fd() const { return exit_.get(); }
  int socket_fd() const { return socket_.get(); }
  int log_fd() const { return log_.get(); }

  // Sends a signal, to its group where it leads one; does nothing once the process was reaped.
  void send_signal(int signal) const;
  // The end of the process once it has ended, without waiting; its log tail is left empty.
  std::optional<ProcessEnd> reap();
  // Takes the system's count of kills for memory as seen: a later SIGKILL is one of them only where it grew
  // again.
  void note_oom_kills() { oom_kills_seen_ = count_oom_kills(); }
  // The letter that the system gives the process's state: 'R' runs, 'S' sleeps, 'T' stopped, 'D' waits for a
  // disk.
  char state_letter() const;

 private:
  WorkerProcess() = default;
  void kill_group() const;

  pid_t pid_ = 0;
  UniqueFd exit_, socket_, log_;
  bool is_reaped_ = true;
  bool leads_group_ = false;
  uint64_t oom_kills_seen_ = 0;
};

// Whether a child may not see the environment variable ("NAME=value"): one of `own_secrets`, or one of
// another program, which no worker needs, whose name sounds like a secret.
bool is_secret_variable(std::string_view variable, std::span<const std::string> own_secrets);

}  // namespace llama_gpu::supervisor
