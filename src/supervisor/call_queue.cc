// SPDX-License-Identifier: Apache-2.0
#include "supervisor/call_queue.h"

#include <utility>

namespace llama_gpu::supervisor {

CallQueue::CallQueue(int num_threads, std::function<void(Call)> handle) : handle_(std::move(handle)) {
  for (int i = 0; i < num_threads; ++i) threads_.emplace_back(&CallQueue::run, this);
}

CallQueue::~CallQueue() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void CallQueue::push(Call call) {
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
  }
  changed_.notify_one();
}

void CallQueue::run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_closing_ || !calls_.empty(); });
    if (is_closing_) return;
    Call call = std::move(calls_.front());
    calls_.pop_front();
    lock.unlock();
    handle_(std::move(call));
  }
}

}  // namespace llama_gpu::supervisor
