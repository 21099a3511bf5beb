// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "supervisor/unique_fd.h"
#include "supervisor/worker.h"

namespace llama_gpu::supervisor {

// Starts, watches and restarts any number of workers on one thread of its own.
//
// Thread-safe. Destroying it stops the workers and waits until their processes are gone.
class Supervisor {
 public:
  // A worker to be, and the session that speaks with it. The session outlives the supervisor.
  struct Member {
    WorkerSpec spec;
    WorkerSession* session = nullptr;
  };

  // `clock` outlives the supervisor. kIoFailed where the system has no descriptors.
  static Result<std::unique_ptr<Supervisor>> start(std::vector<Member> members, const Clock& clock);
  ~Supervisor();

  // Runs `task` on the supervisor thread, soon and in order. Never blocks. False, and it does not run, once
  // the supervisor has stopped.
  bool post(std::function<void()> task);

  // A moment's view, at most a tick old.
  std::vector<WorkerStatus> workers() const;

  // Starts no worker again that ends from now on.
  void let_end();

  // Kills all workers, also those that stop() waits for. Does not wait itself.
  void kill();

  // Drains all workers and waits until their processes are gone; within the policies' deadlines.
  void stop();

 private:
  Supervisor(UniqueFd epoll, UniqueFd wake);

  void run();
  bool run_tasks();
  bool wait();
  void update_watched();
  void handle(uint64_t event_data);
  void publish();
  void close_gate();

  UniqueFd epoll_, wake_;
  // Of the supervisor thread, once it runs.
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker::WaitFor> watched_;  // beside workers_: what epoll knows
  bool is_stopping_ = false;
  uint64_t published_version_ = ~uint64_t{0};
  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
  std::vector<WorkerStatus> published_;
  bool is_stop_asked_ = false;
  bool is_stopped_ = false;

  std::mutex stop_mutex_;  // one stop() at a time
  std::thread thread_;
};

}  // namespace llama_gpu::supervisor
