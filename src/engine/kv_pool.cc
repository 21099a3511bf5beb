// SPDX-License-Identifier: Apache-2.0
#include "engine/kv_pool.h"

#include "base/check.h"
#include "base/failpoint.h"

namespace llama_gpu::engine {

KvPool::KvPool(int32_t num_blocks) : references_(static_cast<size_t>(num_blocks), 0) {
  free_.reserve(references_.size());
  for (BlockId block = num_blocks - 1; block >= 0; --block) free_.push_back(block);
}

std::optional<BlockId> KvPool::acquire() {
  if (free_.empty() || !failpoint("engine.kv_block").ok()) return std::nullopt;
  const BlockId block = free_.back();
  free_.pop_back();
  references_[static_cast<size_t>(block)] = 1;
  return block;
}

void KvPool::retain(BlockId block) {
  int32_t& references = references_[static_cast<size_t>(block)];
  CHECK(references > 0, "a free KV block was shared");
  ++references;
}

void KvPool::release(BlockId block) {
  int32_t& references = references_[static_cast<size_t>(block)];
  CHECK(references > 0, "a KV block was released twice");
  if (--references == 0) free_.push_back(block);
}

}  // namespace llama_gpu::engine
