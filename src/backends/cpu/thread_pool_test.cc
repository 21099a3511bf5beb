// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/thread_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace llama_gpu::cpu {
namespace {

using ::testing::Each;
using ::testing::Eq;

TEST(ThreadPool, RunsEachPieceOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.num_threads(), threads);
    for (const int64_t pieces : {0, 1, 2, 3, 100}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(pieces));

      pool.run(pieces, [&](int64_t piece, int) { ++runs[static_cast<size_t>(piece)]; });

      EXPECT_THAT(runs, Each(Eq(1))) << threads << " threads, " << pieces << " pieces";
    }
  }
}

TEST(ThreadPool, GivesEachThreadANumberOfItsOwn) {
  ThreadPool pool(3);
  std::atomic<int> busy[3] = {};
  std::atomic<bool> was_shared = false;

  pool.run(500, [&](int64_t, int thread) {
    if (++busy[thread] != 1) was_shared = true;
    std::this_thread::yield();
    --busy[thread];
  });

  EXPECT_FALSE(was_shared);
}

TEST(ThreadPool, ShowsTheCallerWhatThePiecesWrote) {
  ThreadPool pool(4);
  std::vector<int64_t> results(64);
  for (int64_t round = 0; round < 2000; ++round) {  // short jobs: threads wake while the next one is stored
    pool.run(64, [&](int64_t piece, int) { results[static_cast<size_t>(piece)] = piece * round; });

    ASSERT_EQ(std::accumulate(results.begin(), results.end(), int64_t{0}), 63 * 32 * round);
  }
}

// A thread that wakes late has read the last job's claim word and this job's number of pieces.
TEST(ThreadPool, LosesNoPieceWhereALongJobFollowsAShortOne) {
  ThreadPool pool(4);
  std::atomic<int64_t> runs = 0;
  int64_t expected = 0;
  for (int round = 0; round < 20000; ++round) {
    const int64_t pieces = 2 + round % 7 * 3;
    pool.run(pieces, [&](int64_t, int) { runs.fetch_add(1, std::memory_order_relaxed); });
    expected += pieces;

    ASSERT_EQ(runs.load(), expected) << "round " << round;
  }
}

TEST(ThreadPool, ServesSeveralCallers) {
  ThreadPool pool(2);
  std::atomic<int64_t> total = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round) pool.run(10, [&](int64_t piece, int) { total += piece; });
    });
  }
  for (std::thread& caller : callers) caller.join();

  EXPECT_EQ(total, 3 * 100 * 45);
}

TEST(ThreadPool, WakesThreadsThatWentToSleep) {
  ThreadPool pool(2);
  std::atomic<int> runs = 0;
  pool.run(2, [&](int64_t, int) { ++runs; });
  // Both pieces wait for each other, so this ends only when the sleeping thread comes.
  std::atomic<int> arrived = 0;
  for (int i = 0; i < 3; ++i) {
    arrived = 0;
    pool.run(2, [&](int64_t, int) {
      ++arrived;
      while (arrived < 2) std::this_thread::yield();
    });
  }
  EXPECT_EQ(arrived, 2);
}

TEST(ThreadPool, TakesAllAllowedCoresByDefault) {
  ThreadPool pool(0);

  EXPECT_EQ(pool.num_threads(), static_cast<int>(allowed_cores().size()));
  EXPECT_GE(pool.num_threads(), 1);
}

}  // namespace
}  // namespace llama_gpu::cpu
