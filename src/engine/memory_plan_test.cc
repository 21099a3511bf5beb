// SPDX-License-Identifier: Apache-2.0
#include "engine/memory_plan.h"

#include <gtest/gtest.h>

namespace llama_gpu::engine {
namespace {

MemoryRequest request() {
  return {.max_sequences = 32,
          .train_context_tokens = 8192,
          .kv_bytes_per_token = 1000,
          .free_bytes = 1'000'000'000};
}

TEST(MemoryPlan, ByDefaultEverySequenceHasRoomForAThousandTokens) {
  const MemoryPlan plan = plan_memory(request()).value();

  EXPECT_EQ(plan.context_tokens, 8192);
  EXPECT_EQ(plan.kv_blocks, 32 * 1024 / 16);
}

TEST(MemoryPlan, TheDefaultContextIsBoundedByTheTrainedOne) {
  MemoryRequest asked = request();
  asked.train_context_tokens = 2048;
  EXPECT_EQ(plan_memory(asked)->context_tokens, 2048);
  asked.train_context_tokens = 131072;
  EXPECT_EQ(plan_memory(asked)->context_tokens, 8192);
}

TEST(MemoryPlan, ADefaultContextShrinksToHalfOfTheFreeMemory) {
  MemoryRequest asked = request();
  asked.free_bytes = 2'000'000;
  EXPECT_EQ(plan_memory(asked)->context_tokens, 992);

  asked.free_bytes = 100'000;
  EXPECT_EQ(plan_memory(asked).error().code, ErrorCode::kOutOfMemory);
}

TEST(MemoryPlan, AContextThatWasAskedForNeverShrinks) {
  MemoryRequest asked = request();
  asked.context_tokens = 4096;
  asked.free_bytes = 2'000'000;
  const auto plan = plan_memory(asked);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(plan.error().message.find("4096000"), std::string::npos);

  asked.kv_tokens = 1024;
  EXPECT_EQ(plan_memory(asked).error().param, "kv_tokens");
}

TEST(MemoryPlan, ASmallPoolBoundsAContextThatWasNotAskedFor) {
  MemoryRequest asked = request();
  asked.kv_tokens = 100;
  const MemoryPlan plan = plan_memory(asked).value();
  EXPECT_EQ(plan.context_tokens, 100);
  EXPECT_EQ(plan.kv_blocks, 7);
}

TEST(MemoryPlan, AContextBeyondTheTrainedOneIsRefused) {
  MemoryRequest asked = request();
  asked.context_tokens = 8193;
  EXPECT_EQ(plan_memory(asked).error().param, "context_tokens");
}

TEST(MemoryPlan, APoolWithMoreBlocksThanAnIdCanNameIsRefused) {
  MemoryRequest asked = request();
  asked.kv_tokens = int64_t{1} << 50;
  EXPECT_EQ(plan_memory(asked).error().param, "kv_tokens");
}

TEST(MemoryPlan, UnknownFreeMemoryBoundsNothing) {
  MemoryRequest asked = request();
  asked.free_bytes.reset();
  EXPECT_EQ(plan_memory(asked)->kv_blocks, 2048);
}

}  // namespace
}  // namespace llama_gpu::engine
