// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "supervisor/engine_protocol.h"

namespace llama_gpu::supervisor {

// Calls that wait for threads of their own, first come, first served. Thread-safe.
class CallQueue {
 public:
  // `handle` runs on the threads and outlives the queue.
  CallQueue(int num_threads, std::function<void(Call)> handle);
  // Waits for the calls that are handled, and drops those that wait.
  ~CallQueue();

  // Any thread; the call is handled some time later.
  void push(Call call);

 private:
  void run();

  std::function<void(Call)> handle_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Call> calls_;   // guarded by mutex_
  bool is_closing_ = false;  // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace llama_gpu::supervisor
