// SPDX-License-Identifier: Apache-2.0
//
// How packed weights lie in memory. Sixteen output rows make a tile; a tile is one contiguous stream along
// the columns, so that a thread reads memory front to back. Within a block of 32 columns, four neighbouring
// columns of one row share a 32-bit lane, and lane r of a vector belongs to row r:
//
//            lane 0 (row 0)        lane 1 (row 1)     ...  lane 15
//   group 0  cols 0 1 2 3          cols 0 1 2 3
//   group 1  cols 4 5 6 7          ...
//   ...
//   group 7  cols 28 29 30 31
//
// One 8-bit dot product instruction then adds four columns to sixteen outputs at once, and no sum crosses
// lanes. 4-bit types keep group g in the low nibbles and group g + 4 in the high nibbles of the same bytes.
// Sizes are those of the file: a tile block is sixteen file blocks.
#pragma once

#include <cstdint>

#include "tensor/blocks.h"

namespace llama_gpu::cpu {

inline constexpr int kTileRows = 16;
inline constexpr int kBlockCols = 32;
inline constexpr int kGroups = 8;       // of four columns in a block
inline constexpr int kGroupBytes = 64;  // one vector
inline constexpr int kSuperBlocks = 8;  // blocks in a super-block of the K types

// Sixteen blocks of the same columns, one for each row of the tile. Scales are half floats as in the file.
struct TileQ4_0 {
  uint16_t d[kTileRows];
  uint8_t q[4][kGroupBytes];
};
struct TileQ4_1 {
  uint16_t d[kTileRows];
  uint16_t m[kTileRows];
  uint8_t q[4][kGroupBytes];
};
struct TileQ8_0 {
  uint16_t d[kTileRows];
  uint8_t q[kGroups][kGroupBytes];  // value + 128
};
struct TileQ4_K {
  uint16_t d[kTileRows];
  uint16_t dmin[kTileRows];
  uint8_t scales[12][kTileRows];  // byte i of the file's packed 6-bit scales
  uint8_t q[kSuperBlocks][4][kGroupBytes];
};
struct TileQ6_K {
  uint16_t d[kTileRows];
  int8_t scales[16][kTileRows];                // of 16 columns each
  uint8_t low[kSuperBlocks][4][kGroupBytes];   // 4 low bits
  uint8_t high[kSuperBlocks][2][kGroupBytes];  // 2 high bits: group 4 h + i at bits 2 i of high[h]
};
static_assert(sizeof(TileQ4_0) == kTileRows * sizeof(BlockQ4_0));
static_assert(sizeof(TileQ4_1) == kTileRows * sizeof(BlockQ4_1));
static_assert(sizeof(TileQ8_0) == kTileRows * sizeof(BlockQ8_0));
static_assert(sizeof(TileQ4_K) == kTileRows * sizeof(BlockQ4_K));
static_assert(sizeof(TileQ6_K) == kTileRows * sizeof(BlockQ6_K));

// A block of any quantised type, ready for multiplication: made in scratch memory when many rows use it.
struct UnpackedBlock {
  uint8_t q[kGroups][kGroupBytes];
  float scale[2][kTileRows];  // of columns 0..15 and 16..31; types with one scale use the first
  float min[kTileRows];       // added to each value; types without leave it
};

// 32 values of an activation row as 8-bit integers, x = scale * q, or as twice as many bits,
// x = scale * (q + fine / kFineSteps); |q| <= 127, |fine| <= kFineSteps / 2.
//
// A few blocks of a row hold most of its magnitude, and so most of what rounding to 8 bits would lose: those
// are the fine ones (quantize_row says which). Without them the default model's log-probabilities are off by
// 0.06 in the mean, with them by 0.03; a scale for each 16 values instead costs as much time and gives 0.045.
struct ActivationBlock {
  int8_t q[kBlockCols];
  float scale;
  float fine_scale;      // scale / kFineSteps, exactly
  float scaled_sum;      // of the 32 values, as rounded
  int32_t is_fine;       // 0 or 1; where 0, `fine` is zero
  int32_t sums[2];       // of q, columns 0..15 and 16..31
  int32_t fine_sums[2];  // of fine, likewise
  int8_t fine[kBlockCols];
};
inline constexpr int kFineBits = 7;
inline constexpr int kFineSteps = 1 << kFineBits;

}  // namespace llama_gpu::cpu
