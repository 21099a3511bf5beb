// SPDX-License-Identifier: Apache-2.0
#include "plugins/task_thread.h"

#include <utility>

namespace llama_gpu::plugins {

TaskThread::TaskThread() : thread_(&TaskThread::run, this) {}

TaskThread::~TaskThread() { stop(); }

bool TaskThread::push(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (is_stopping_) return false;
  tasks_.push_back(std::move(task));
  changed_.notify_all();
  return true;
}

void TaskThread::stop() {
  const std::lock_guard lock(stop_mutex_);
  {
    const std::lock_guard state_lock(mutex_);
    is_stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void TaskThread::run() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace llama_gpu::plugins
