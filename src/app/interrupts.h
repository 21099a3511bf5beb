// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>

namespace llama_gpu::app {

// Whether somebody wants the program to stop: Ctrl-C, SIGTERM or SIGHUP. Thread-safe; raise() also in a
// signal handler.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Set from the first signal on, until clear().
  const std::atomic<bool>& flag() const { return flag_; }
  // The last signal's number; 0: none came.
  int signal() const { return signal_; }
  // Whether that was another than Ctrl-C, which may mean only what runs just now.
  bool ends_program() const;
  // How many came since the start or clear().
  int count() const { return count_; }

  // Notes a signal, as its handler does.
  void raise(int signal);
  // For a REPL, where Ctrl-C ends an answer and not the program.
  void clear();
  // Sleeps until a signal comes, at most `time`. Returns whether one came since the last call.
  bool wait_for(std::chrono::milliseconds time);

 private:
  std::atomic<bool> flag_{false};
  std::atomic<int> signal_{0};
  std::atomic<int> count_{0};
  int event_fd_;
};

// Sends SIGINT, SIGTERM and, unless it is ignored (nohup), SIGHUP of this process to `interrupts`, which
// lives as long as the process.
void install_signal_handlers(Interrupts& interrupts);

}  // namespace llama_gpu::app
