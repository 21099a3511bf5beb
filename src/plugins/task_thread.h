// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace llama_gpu::plugins {

// Runs tasks one after the other on a thread of its own. Thread-safe.
class TaskThread {
 public:
  TaskThread();
  // Runs what was pushed before, too.
  ~TaskThread();

  // False, and it does not run, once stop() was called.
  bool push(std::function<void()> task);
  // Waits for all tasks that were pushed. Not on this thread itself.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  bool is_stopping_ = false;                 // guarded by mutex_
  std::mutex stop_mutex_;                    // one stop() at a time
  std::thread thread_;
};

}  // namespace llama_gpu::plugins
