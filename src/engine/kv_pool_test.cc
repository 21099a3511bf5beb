// SPDX-License-Identifier: Apache-2.0
#include "engine/kv_pool.h"

#include <gtest/gtest.h>

#include <set>

namespace llama_gpu::engine {
namespace {

TEST(KvPool, HandsOutEachBlockOnceUntilItIsFull) {
  KvPool pool(3);

  const std::set<BlockId> blocks = {*pool.acquire(), *pool.acquire(), *pool.acquire()};

  EXPECT_EQ(blocks, (std::set<BlockId>{0, 1, 2}));
  EXPECT_EQ(pool.acquire(), std::nullopt);
  EXPECT_EQ(pool.num_used(), 3);
}

TEST(KvPool, FreesASharedBlockWithItsLastUser) {
  KvPool pool(1);
  const BlockId block = *pool.acquire();
  pool.retain(block);

  pool.release(block);
  EXPECT_EQ(pool.num_free(), 0);
  pool.release(block);
  EXPECT_EQ(pool.num_free(), 1);
}

TEST(KvPoolDeathTest, ReleasingAFreeBlockIsABrokenInvariant) {
  KvPool pool(1);
  EXPECT_DEATH(pool.release(0), "released twice");
  EXPECT_DEATH(pool.retain(0), "free KV block");
}

}  // namespace
}  // namespace llama_gpu::engine
