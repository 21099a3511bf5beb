// SPDX-License-Identifier: Apache-2.0
//
// Each format has put(), which spreads a file block over a row of its tile, and get(), which is the exact
// inverse. A row is read back by making the file's blocks again and dequantising those, so that tied
// embeddings need one copy of the weight and still give the specification's values.
#include "backends/cpu/tile_packing.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/tile_layout.h"
#include "base/check.h"
#include "tensor/blocks.h"

namespace llama_gpu::cpu {
namespace {

constexpr int kWord = 4;  // bytes of one row in a group

// Spreads 4 * `groups` bytes of row r over its lane of that many groups, and back.
void put_words(const uint8_t* bytes, int groups, int64_t r, uint8_t (*to)[kGroupBytes]) {
  for (int g = 0; g < groups; ++g) std::memcpy(to[g] + kWord * r, bytes + kWord * g, kWord);
}
void get_words(const uint8_t (*from)[kGroupBytes], int groups, int64_t r, uint8_t* bytes) {
  for (int g = 0; g < groups; ++g) std::memcpy(bytes + kWord * g, from[g] + kWord * r, kWord);
}

// 32 numbers of 4 bits as nibbles of 16 bytes, in the order of a Q4_0 block; and back.
void put_nibbles(const uint8_t* numbers, int64_t r, uint8_t (*to)[kGroupBytes]) {
  uint8_t bytes[16];
  for (int i = 0; i < 16; ++i) bytes[i] = static_cast<uint8_t>((numbers[i] & 15) | (numbers[i + 16] << 4));
  put_words(bytes, 4, r, to);
}
void get_nibbles(const uint8_t (*from)[kGroupBytes], int64_t r, uint8_t* numbers) {
  uint8_t bytes[16];
  get_words(from, 4, r, bytes);
  for (int i = 0; i < 16; ++i) {
    numbers[i] = bytes[i] & 15;
    numbers[i + 16] = static_cast<uint8_t>(bytes[i] >> 4);
  }
}

struct PackQ4_0 {
  using Tile = TileQ4_0;
  using Block = BlockQ4_0;
  static void put(const Block& block, int64_t r, Tile& tile) {
    tile.d[r] = block.d;
    put_words(block.q, 4, r, tile.q);
  }
  static Block get(const Tile& tile, int64_t r) {
    Block block = {.d = tile.d[r], .q = {}};
    get_words(tile.q, 4, r, block.q);
    return block;
  }
};

struct PackQ4_1 {
  using Tile = TileQ4_1;
  using Block = BlockQ4_1;
  static void put(const Block& block, int64_t r, Tile& tile) {
    tile.d[r] = block.d;
    tile.m[r] = block.m;
    put_words(block.q, 4, r, tile.q);
  }
  static Block get(const Tile& tile, int64_t r) {
    Block block = {.d = tile.d[r], .m = tile.m[r], .q = {}};
    get_words(tile.q, 4, r, block.q);
    return block;
  }
};

struct PackQ8_0 {
  using Tile = TileQ8_0;
  using Block = BlockQ8_0;
  static void put(const Block& block, int64_t r, Tile& tile) {
    tile.d[r] = block.d;
    uint8_t bytes[32];
    for (int i = 0; i < 32; ++i) bytes[i] = static_cast<uint8_t>(block.q[i] ^ 0x80);  // + 128
    put_words(bytes, kGroups, r, tile.q);
  }
  static Block get(const Tile& tile, int64_t r) {
    uint8_t bytes[32];
    get_words(tile.q, kGroups, r, bytes);
    Block block = {.d = tile.d[r], .q = {}};
    for (int i = 0; i < 32; ++i) block.q[i] = static_cast<int8_t>(bytes[i] ^ 0x80);
    return block;
  }
};

struct PackQ4_K {
  using Tile = TileQ4_K;
  using Block = BlockQ4_K;
  // Sub-blocks 2 c and 2 c + 1 are the low and the high nibbles of the same 32 bytes.
  static void put(const Block& block, int64_t r, Tile& tile) {
    tile.d[r] = block.d;
    tile.dmin[r] = block.dmin;
    for (int i = 0; i < 12; ++i) tile.scales[i][r] = block.scales[i];
    for (int s = 0; s < kSuperBlocks; ++s) {
      uint8_t numbers[32];
      for (int i = 0; i < 32; ++i) numbers[i] = (block.q[32 * (s / 2) + i] >> (4 * (s % 2))) & 15;
      put_nibbles(numbers, r, tile.q[s]);
    }
  }
  static Block get(const Tile& tile, int64_t r) {
    Block block = {.d = tile.d[r], .dmin = tile.dmin[r], .scales = {}, .q = {}};
    for (int i = 0; i < 12; ++i) block.scales[i] = tile.scales[i][r];
    for (int s = 0; s < kSuperBlocks; ++s) {
      uint8_t numbers[32];
      get_nibbles(tile.q[s], r, numbers);
      for (int i = 0; i < 32; ++i)
        block.q[32 * (s / 2) + i] |= static_cast<uint8_t>(numbers[i] << (4 * (s % 2)));
    }
    return block;
  }
};

struct PackQ6_K {
  using Tile = TileQ6_K;
  using Block = BlockQ6_K;

  static void put(const Block& block, int64_t r, Tile& tile) {
    tile.d[r] = block.d;
    for (int i = 0; i < 16; ++i) tile.scales[i][r] = block.scales[i];
    uint8_t numbers[256];
    read_numbers(block, numbers);
    for (int s = 0; s < kSuperBlocks; ++s) {
      put_nibbles(numbers + 32 * s, r, tile.low[s]);
      for (int part = 0; part < 2; ++part) {
        const uint8_t* high = numbers + 32 * s + 16 * part;
        for (int i = 0; i < kWord; ++i) {
          tile.high[s][part][kWord * r + i] = static_cast<uint8_t>(
              high[i] >> 4 | high[4 + i] >> 4 << 2 | high[8 + i] >> 4 << 4 | high[12 + i] >> 4 << 6);
        }
      }
    }
  }
  static Block get(const Tile& tile, int64_t r) {
    Block block = {.ql = {}, .qh = {}, .scales = {}, .d = tile.d[r]};
    for (int i = 0; i < 16; ++i) block.scales[i] = tile.scales[i][r];
    uint8_t numbers[256];
    for (int s = 0; s < kSuperBlocks; ++s) {
      get_nibbles(tile.low[s], r, numbers + 32 * s);
      for (int i = 0; i < 32; ++i) {
        const int high = tile.high[s][i / 16][kWord * r + i % kWord] >> (2 * (i / kWord % 4));
        numbers[32 * s + i] |= static_cast<uint8_t>((high & 3) << 4);
      }
    }
    write_numbers(numbers, block);
    return block;
  }

 private:
  // The 6-bit numbers in order. The file keeps 128 of them as four quarters of 32: low bits of quarters 0 and
  // 2 share a byte, so do 1 and 3; the high bits of all four share one.
  static void read_numbers(const Block& block, uint8_t* numbers) {
    for (int half = 0; half < 2; ++half) {
      for (int i = 0; i < 32; ++i) {
        const uint8_t even = block.ql[64 * half + i], odd = block.ql[64 * half + 32 + i];
        const uint8_t high = block.qh[32 * half + i];
        uint8_t* quarters = numbers + 128 * half + i;
        quarters[0] = static_cast<uint8_t>((even & 15) | (high & 3) << 4);
        quarters[32] = static_cast<uint8_t>((odd & 15) | (high >> 2 & 3) << 4);
        quarters[64] = static_cast<uint8_t>(even >> 4 | (high >> 4 & 3) << 4);
        quarters[96] = static_cast<uint8_t>(odd >> 4 | high >> 6 << 4);
      }
    }
  }
  static void write_numbers(const uint8_t* numbers, Block& block) {
    for (int half = 0; half < 2; ++half) {
      for (int i = 0; i < 32; ++i) {
        const uint8_t* quarters = numbers + 128 * half + i;
        block.ql[64 * half + i] = static_cast<uint8_t>((quarters[0] & 15) | quarters[64] << 4);
        block.ql[64 * half + 32 + i] = static_cast<uint8_t>((quarters[32] & 15) | quarters[96] << 4);
        block.qh[32 * half + i] = static_cast<uint8_t>(quarters[0] >> 4 | quarters[32] >> 4 << 2 |
                                                       quarters[64] >> 4 << 4 | quarters[96] >> 4 << 6);
      }
    }
  }
};

// A value of a float type is a block of its own: a tile is [cols][16 rows].
template <class Value>
struct PackFloat {
  struct Tile {
    Value values[kTileRows];
  };
  using Block = Value;
  static void put(const Block& value, int64_t r, Tile& tile) { tile.values[r] = value; }
  static Block get(const Tile& tile, int64_t r) { return tile.values[r]; }
};

// Calls body(Pack{}) with the packing of the type.
template <class Body>
auto with_packing(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::kF32:
      return body(PackFloat<float>());
    case DType::kF16:
    case DType::kBF16:
      return body(PackFloat<uint16_t>());
    case DType::kQ4_0:
      return body(PackQ4_0());
    case DType::kQ4_1:
      return body(PackQ4_1());
    case DType::kQ8_0:
      return body(PackQ8_0());
    case DType::kQ4_K:
      return body(PackQ4_K());
    case DType::kQ6_K:
      return body(PackQ6_K());
  }
  CHECK(false, "a type without a packing");
}

}  // namespace

int64_t tile_bytes(DType dtype, int64_t cols) { return kTileRows * row_bytes(dtype, cols); }

void pack_tile(const HostTensor& tensor, int64_t tile, std::byte* out) {
  const int64_t blocks = tensor.cols / dtype_info(tensor.dtype).block_values;
  const int64_t first_row = tile * kTileRows;
  const int64_t rows = std::min<int64_t>(kTileRows, tensor.rows - first_row);
  with_packing(tensor.dtype, [&](auto packing) {
    using Block = typename decltype(packing)::Block;
    auto* tiles = reinterpret_cast<typename decltype(packing)::Tile*>(out);
    const std::byte* source = tensor.bytes.data() + first_row * blocks * static_cast<int64_t>(sizeof(Block));
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t b = 0; b < blocks; ++b, source += sizeof(Block)) {
        Block block;
        std::memcpy(&block, source, sizeof(Block));  // files do not align blocks
        packing.put(block, r, tiles[b]);
      }
    }
  });
}

void unpack_tile_row(DType dtype, const std::byte* tile, int64_t row, std::span<float> values) {
  const auto block_values = static_cast<size_t>(dtype_info(dtype).block_values);
  with_packing(dtype, [&](auto packing) {
    const auto* tiles = reinterpret_cast<const typename decltype(packing)::Tile*>(tile);
    for (size_t b = 0; b < values.size() / block_values; ++b) {
      const auto block = packing.get(tiles[b], row);
      dequantize(dtype, std::as_bytes(std::span(&block, 1)), values.subspan(b * block_values, block_values));
    }
  });
}

}  // namespace llama_gpu::cpu
