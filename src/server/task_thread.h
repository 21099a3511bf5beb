// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace llama_gpu::server {

// One thread for what may block, away from the threads that serve connections; started with the first task.
// Thread-safe.
class TaskThread {
 public:
  TaskThread() = default;
  // Waits for the task that runs; those that wait are dropped.
  ~TaskThread();
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;

  // Runs `task` behind those that were posted before. What it throws is logged.
  void post(std::function<void()> task);
  // Blocks until every task that was posted has run. For tests.
  void wait_until_idle();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool is_busy_ = false;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace llama_gpu::server
