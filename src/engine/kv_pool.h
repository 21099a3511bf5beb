// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ops/step_layout.h"

namespace llama_gpu::engine {

// Which blocks of the key/value cache are in use, and by how many sequences.
//
// A block that several sequences share is full, so nobody writes it again and it never has to be copied: a
// fork computes its last, partly filled block itself. Engine thread only; memory itself is the Executor's.
class KvPool {
 public:
  explicit KvPool(int32_t num_blocks);

  // A block with one reference; nullopt when the pool is full, and the caller decides whom to preempt.
  std::optional<BlockId> acquire();
  // One more user of a block. REQUIRES: `block` is in use.
  void retain(BlockId block);
  // One user less; the last one frees the block. REQUIRES: `block` is in use.
  void release(BlockId block);

  int32_t num_blocks() const { return static_cast<int32_t>(references_.size()); }
  int32_t num_free() const { return static_cast<int32_t>(free_.size()); }
  int32_t num_used() const { return num_blocks() - num_free(); }

 private:
  std::vector<int32_t> references_;  // by block, 0: free
  std::vector<BlockId> free_;        // last in, first out: recently used memory is still in the caches
};

}  // namespace llama_gpu::engine
