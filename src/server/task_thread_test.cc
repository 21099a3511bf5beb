// SPDX-License-Identifier: Apache-2.0
#include "server/task_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <vector>

#include "base/log.h"

namespace llama_gpu::server {
namespace {

TEST(TaskThreadTest, RunsTasksInOrderOnOneThread) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  TaskThread tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.post([&, i] {
      order.push_back(i);
      threads.push_back(std::this_thread::get_id());
    });
  }
  tasks.wait_until_idle();

  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(threads, std::vector<std::thread::id>(3, threads[0]));
  EXPECT_NE(threads[0], std::this_thread::get_id());
}

TEST(TaskThreadTest, OutlivesATaskThatThrows) {
  configure_logging({.sink = [](std::string_view) {}});
  TaskThread tasks;
  bool has_run = false;
  tasks.post([] { throw std::runtime_error("no"); });
  tasks.post([&] { has_run = true; });
  tasks.wait_until_idle();

  EXPECT_TRUE(has_run);
  configure_logging({});
}

TEST(TaskThreadTest, DropsWhatWaitsAtTheEnd) {
  std::promise<void> is_running, may_end;
  std::atomic<int> num_run = 0;
  const auto counted = std::make_shared<int>(0);
  {
    TaskThread tasks;
    tasks.post([&] {
      is_running.set_value();
      may_end.get_future().wait();
      ++num_run;
    });
    is_running.get_future().wait();
    tasks.post([&, counted] { ++num_run; });
    tasks.post([&] { ++num_run; });
    may_end.set_value();
  }
  EXPECT_GE(num_run, 1);
  EXPECT_EQ(counted.use_count(), 1);
}

}  // namespace
}  // namespace llama_gpu::server
