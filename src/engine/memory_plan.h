// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"

namespace llama_gpu::engine {

// What the size of the KV pool is chosen from.
struct MemoryRequest {
  int32_t context_tokens = 0;  // 0: chosen
  int64_t kv_tokens = 0;       // 0: chosen
  int32_t max_sequences = 0;
  int32_t train_context_tokens = 0;
  int64_t kv_bytes_per_token = 0;
  int32_t block_tokens = 16;
  std::optional<uint64_t> free_bytes = {};  // after the weights were loaded; nullopt: unknown
};

// What is reserved, once, at load.
struct MemoryPlan {
  int32_t context_tokens = 0;  // longest sequence
  int32_t kv_blocks = 0;
};

// Sizes the KV pool, once, at load:
//
//   context   = as asked, else min(trained context, 8192)
//   kv_tokens = as asked, else max(context, 1024 for each sequence that may run), at most half of the free
//   memory
//
// so that by default 32 sequences of 1024 tokens run at once, or four of 8192. Where memory is short, a
// context that was not asked for shrinks with the pool. Errors: kInvalidValue with param, kOutOfMemory with
// needed and free bytes.
Result<MemoryPlan> plan_memory(const MemoryRequest& request);

}  // namespace llama_gpu::engine
