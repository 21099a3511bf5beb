// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
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
  // A worker to be, and the session that speaks with it. The session outlives the supervisor, or lives until
  // its worker was removed.
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

  // Starts one more worker. Never blocks. False, and it does not start, once the supervisor has stopped.
  // REQUIRES: no other worker has its id.
  bool add(Member member);

  // Drains the worker of that id and forgets it. `gone` is called once, on the supervisor thread, when its
  // process is gone and its session is not called any more: at once where there is no such worker. Never
  // blocks. False, and `gone` is not called, once the supervisor has stopped.
  bool remove(std::string id, std::function<void()> gone);

  // A moment's view, at most a tick old.
  std::vector<WorkerStatus> workers() const;

  // Starts no worker again that ends from now on.
  void let_end();

  // Kills all workers, also those that stop() waits for. Does not wait itself.
  void kill();

  // Drains all workers and waits until their processes are gone; within the policies' deadlines.
  void stop();

 private:
  // A worker, what epoll knows of it, and who waits for its end.
  struct Place {
    uint64_t key = 0;  // of its epoll events; never used again
    std::unique_ptr<Worker> worker;
    Worker::WaitFor watched = {};
    std::vector<std::function<void()>> gone = {};  // not empty: it is removed
  };

  Supervisor(UniqueFd epoll, UniqueFd wake);

  void run();
  bool run_tasks();
  bool wait();
  void update_watched();
  void handle(uint64_t event_data);
  void publish();
  void place(Member member);
  void begin_removal(const std::string& id, std::function<void()> gone);
  void forget_removed();
  void close_gate();

  UniqueFd epoll_, wake_;
  // Of the supervisor thread, once it runs.
  const Clock* clock_ = nullptr;
  std::vector<Place> places_;
  uint64_t last_key_ = 0;
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
