// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/cpu/kv_layout.h"
#include "backends/cpu/tile_layout.h"
#include "tensor/dtype.h"

namespace llama_gpu::cpu {

inline constexpr int kNumDTypes = static_cast<int>(DType::kQ6_K) + 1;

// Rows of activations times some tiles of a weight: y[n][o] = sum over k of x[n][k] * w[o][k].
struct TileProduct {
  // The weight: tile t starts at tiles + t * tile_bytes and holds outputs 16 t .. 16 t + 15.
  const std::byte* tiles;
  int64_t tile_bytes;
  int64_t outputs;  // of the whole weight; the last tile may hold fewer than 16
  int64_t cols;
  int64_t first_tile;
  int64_t end_tile;
  // The activations: quantised rows for quantised types, float rows for the others.
  const ActivationBlock* x_blocks;  // row n starts at x_blocks + n * cols / 32
  const float* x;                   // row n starts at x + n * x_stride
  int64_t x_stride;
  int64_t num_rows;
  // The result: row n, output o at y[n * y_stride + o].
  float* y;
  int64_t y_stride;
  bool add_to_y;
  // Memory of this thread, kScratchTiles * cols / 32 UnpackedBlocks.
  UnpackedBlock* scratch;
};
inline constexpr int kScratchTiles = 2;

// Some query heads of consecutive rows of one sequence, all reading one kv head. Query i is head
// i % queries_per_row of row i / queries_per_row.
struct AttentionTask {
  const float* q;  // the first row's first query head: [head_dim]
  int64_t q_stride;
  float* y;
  int64_t y_stride;
  int64_t queries_per_row;
  int64_t first_query;
  int64_t end_query;
  int64_t first_position;  // of row 0
  float scale;
  KvLayout layout;
  int64_t kv_head;
  const std::byte* kv;
  int64_t block_bytes;
  const BlockId* block_table;
  float* scratch;  // memory of this thread, attention_scratch_floats(padded_dim) floats
};
inline constexpr int kMaxQueryTile = 8;
constexpr int64_t attention_scratch_floats(int64_t padded_dim) {
  return kMaxQueryTile * (padded_dim + 2 * 16 + 2);
}

// One token's key and value on their way into a KV block.
struct KvEntry {
  const float* k;  // [kv_heads * head_dim]
  const float* v;
  KvLayout layout;
  uint16_t* block;  // the block's first half float
  int64_t token;    // in the block
};

// One row of heads to rotate in place.
struct RopeRow {
  float* x;  // [heads * head_dim]
  const float* angles;
  int64_t heads;
  int64_t head_dim;
  int64_t rotary_dim;
};

// The kernels of one instruction set. All of them compute whole rows or whole tiles on the calling thread.
struct KernelTable {
  const char* isa;
  // By DType; null where there is no kernel for the type.
  void (*linear[kNumDTypes])(const TileProduct&);
  // Makes those blocks fine whose largest magnitude is more than `fine_from` times the mean of the row's
  // blocks.
  void (*quantize_row)(const float* x, int64_t cols, float fine_from, ActivationBlock* blocks);
  float (*dot)(const float* a, const float* b, int64_t size);
  // y[c] = x[c] * weight[c] / sqrt(mean of squares + eps); y may alias x.
  void (*rms_norm_row)(const float* x, const float* weight, int64_t cols, float eps, float* y);
  void (*rope_row_adjacent)(const RopeRow&);
  void (*rope_row_halves)(const RopeRow&);
  void (*swiglu_row)(const float* gate, const float* up, int64_t cols, float* y);
  void (*kv_write)(const KvEntry&);
  void (*attention)(const AttentionTask&);
};

// One for each file of isa/. Callable only where isa_levels says that the processor has the set.
const KernelTable& scalar_kernels();
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();

}  // namespace llama_gpu::cpu
