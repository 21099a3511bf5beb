// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/token_id.h"

namespace llama_gpu {

using BlockId = int32_t;

// The rows of one sequence in a step. Its rows are consecutive tokens; row i has position `first_position` +
// i and sees the keys of positions 0 .. first_position + i.
struct SequenceRows {
  int32_t first_row = 0;
  int32_t num_rows = 0;
  int32_t first_position = 0;
  // The sequence's KV blocks in order; position p lives in block_table[p / block_tokens].
  std::span<const BlockId> block_table;
};

// What one step computes: ragged rows of many sequences, packed one after another. Host memory, borrowed for
// the step; a backend with its own memory uploads it in OpTable::begin_step.
struct StepLayout {
  std::span<const TokenId> tokens;     // [rows]
  std::span<const int32_t> positions;  // [rows]
  std::span<const SequenceRows> sequences;
  std::span<const int32_t> output_rows;  // rows whose logits are wanted, ascending

  int64_t num_rows() const { return static_cast<int64_t>(tokens.size()); }
};

// Shape of the key/value cache, per layer.
struct KvGeometry {
  int32_t num_kv_heads = 0;
  int32_t head_dim = 0;
  int32_t block_tokens = 16;
};

// One layer's key/value memory: block b is `block_bytes` bytes at data + b * block_bytes, in a layout that
// only the backend knows (OpTable users never look inside).
struct KvLayer {
  std::byte* data = nullptr;
  int64_t block_bytes = 0;
  KvGeometry geometry;
};

}  // namespace llama_gpu
