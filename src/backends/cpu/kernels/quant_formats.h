// SPDX-License-Identifier: Apache-2.0
//
// What the product kernel has to know of each quantised type: where group g of block b lies, as unsigned
// bytes, and the floats that turn integer sums into values:
//
//   value = scale[half] * (q - kOffset) + min
//
// `half` counts the parts of a block that have a scale of their own (kHalves is 1 or 2).
#pragma once

#include "backends/cpu/kernels/unroll.h"
#include "backends/cpu/tile_layout.h"

namespace llama_gpu::cpu {

// A block pointer of a tile of the plain types: block b of the stream.
template <class Tile>
[[gnu::always_inline]] inline const Tile& tile_block(const std::byte* tile, int64_t b) {
  return reinterpret_cast<const Tile*>(tile)[b];
}

// Group g of 4-bit values: low nibbles hold groups 0..3, high nibbles 4..7.
template <class Isa, int g>
typename Isa::B nibble_group(const uint8_t (&q)[4][kGroupBytes]) {
  const auto bytes = Isa::load_block(q[g % 4]);
  if constexpr (g < 4)
    return Isa::low_nibbles(bytes);
  else
    return Isa::high_nibbles(bytes);
}

// Q4_0, from its packed tile.
template <class Isa>
struct FormatQ4_0 {
  using Tile = TileQ4_0;
  static constexpr int kOffset = 8;
  static constexpr int kHalves = 1;
  static constexpr bool kHasMin = false;
  static constexpr bool kIsWide = false;  // whether bytes go beyond 127

  // As the top of this file says.
  template <int g>
  static typename Isa::B group(const std::byte* tile, int64_t b) {
    return nibble_group<Isa, g>(tile_block<Tile>(tile, b).q);
  }
  template <int half>
  static typename Isa::F scale(const std::byte* tile, int64_t b) {
    return Isa::load_f16(tile_block<Tile>(tile, b).d);
  }
  static typename Isa::F min(const std::byte*, int64_t) { return Isa::zero(); }
};

// Q4_1, from its packed tile.
template <class Isa>
struct FormatQ4_1 {
  using Tile = TileQ4_1;
  static constexpr int kOffset = 0;
  static constexpr int kHalves = 1;
  static constexpr bool kHasMin = true;
  static constexpr bool kIsWide = false;

  // As the top of this file says.
  template <int g>
  static typename Isa::B group(const std::byte* tile, int64_t b) {
    return nibble_group<Isa, g>(tile_block<Tile>(tile, b).q);
  }
  template <int half>
  static typename Isa::F scale(const std::byte* tile, int64_t b) {
    return Isa::load_f16(tile_block<Tile>(tile, b).d);
  }
  static typename Isa::F min(const std::byte* tile, int64_t b) {
    return Isa::load_f16(tile_block<Tile>(tile, b).m);
  }
};

// Q8_0, from its packed tile.
template <class Isa>
struct FormatQ8_0 {
  using Tile = TileQ8_0;
  static constexpr int kOffset = Isa::kStoredBias;
  static constexpr int kHalves = 1;
  static constexpr bool kHasMin = false;
  static constexpr bool kIsWide = true;

  // As the top of this file says.
  template <int g>
  static typename Isa::B group(const std::byte* tile, int64_t b) {
    return Isa::load_block(tile_block<Tile>(tile, b).q[g]);
  }
  template <int half>
  static typename Isa::F scale(const std::byte* tile, int64_t b) {
    return Isa::load_f16(tile_block<Tile>(tile, b).d);
  }
  static typename Isa::F min(const std::byte*, int64_t) { return Isa::zero(); }
};

// Q4_K, from its packed tile.
template <class Isa>
struct FormatQ4_K {
  using Tile = TileQ4_K;
  using F = typename Isa::F;
  using I = typename Isa::I;
  static constexpr int kOffset = 0;
  static constexpr int kHalves = 1;
  static constexpr bool kHasMin = true;
  static constexpr bool kIsWide = false;

  // As the top of this file says.
  template <int g>
  static typename Isa::B group(const std::byte* tile, int64_t b) {
    return nibble_group<Isa, g>(block(tile, b).q[b % kSuperBlocks]);
  }
  template <int half>
  static F scale(const std::byte* tile, int64_t b) {
    const I factor = six_bits(block(tile, b).scales, b % kSuperBlocks, 0);
    return Isa::mul(Isa::load_f16(block(tile, b).d), Isa::to_float(factor));
  }
  static F min(const std::byte* tile, int64_t b) {
    const I factor = six_bits(block(tile, b).scales, b % kSuperBlocks, 4);
    const F product = Isa::mul(Isa::load_f16(block(tile, b).dmin), Isa::to_float(factor));
    return Isa::sub(Isa::zero(), product);
  }

 private:
  static const Tile& block(const std::byte* tile, int64_t b) {
    return tile_block<Tile>(tile, b / kSuperBlocks);
  }

  // The 6-bit scale (`first` 0) or minimum (4) of sub-block s of sixteen rows. Sub-blocks 0..3 have a byte
  // each; 4..7 have four bits in byte s + 4 (scales low, minimums high) and two in the top of byte first + s
  // - 4.
  static I six_bits(const uint8_t (&bytes)[12][kTileRows], int64_t s, int64_t first) {
    if (s < 4) return Isa::bit_and(Isa::load_bytes(bytes[first + s]), Isa::set1_int(63));
    const I both = Isa::load_bytes(bytes[s + 4]);
    const I low = first == 0 ? Isa::bit_and(both, Isa::set1_int(15)) : Isa::template shift_right<4>(both);
    const I top = Isa::template shift_right<6>(Isa::load_bytes(bytes[first + s - 4]));
    return Isa::bit_or(low, Isa::template shift_left<4>(top));
  }
};

// Q6_K, from its packed tile.
template <class Isa>
struct FormatQ6_K {
  using Tile = TileQ6_K;
  static constexpr int kOffset = 32;
  static constexpr int kHalves = 2;
  static constexpr bool kHasMin = false;
  static constexpr bool kIsWide = false;

  // As the top of this file says.
  template <int g>
  static typename Isa::B group(const std::byte* tile, int64_t b) {
    const Tile& block = tile_block<Tile>(tile, b / kSuperBlocks);
    const auto high = Isa::load_block(block.high[b % kSuperBlocks][g / 4]);
    return Isa::template with_high_bits<g % 4>(nibble_group<Isa, g>(block.low[b % kSuperBlocks]), high);
  }
  template <int half>
  static typename Isa::F scale(const std::byte* tile, int64_t b) {
    const Tile& block = tile_block<Tile>(tile, b / kSuperBlocks);
    const auto factor = Isa::load_bytes(block.scales[2 * (b % kSuperBlocks) + half]);
    return Isa::mul(Isa::load_f16(block.d), Isa::to_float(factor));
  }
  static typename Isa::F min(const std::byte*, int64_t) { return Isa::zero(); }
};

// Blocks that unpack() wrote to scratch memory: the same numbers, read without work. Types that differ only
// in how they are packed share it.
template <class Isa, int offset, int halves, bool has_min, bool is_wide>
struct FormatUnpacked {
  using Tile = UnpackedBlock;
  static constexpr int kOffset = offset;
  static constexpr int kHalves = halves;
  static constexpr bool kHasMin = has_min;
  static constexpr bool kIsWide = is_wide;

  // As the top of this file says.
  template <int g>
  static typename Isa::B group(const std::byte* tile, int64_t b) {
    return Isa::load_block(tile_block<Tile>(tile, b).q[g]);
  }
  template <int half>
  static typename Isa::F scale(const std::byte* tile, int64_t b) {
    return Isa::load(tile_block<Tile>(tile, b).scale[half]);
  }
  static typename Isa::F min(const std::byte* tile, int64_t b) {
    return Isa::load(tile_block<Tile>(tile, b).min);
  }
};

// What blocks of `Format` become.
template <class Isa, class Format>
using Unpacked = FormatUnpacked<Isa, Format::kOffset, Format::kHalves, Format::kHasMin, Format::kIsWide>;

// Writes the blocks of a tile in the form that FormatUnpacked reads.
template <class Isa, class Format>
void unpack(const std::byte* tile, int64_t num_blocks, UnpackedBlock* out) {
  for (int64_t b = 0; b < num_blocks; ++b) {
    unroll<kGroups>([&](auto g) { Isa::store_block(out[b].q[g], Format::template group<g>(tile, b)); });
    unroll<Format::kHalves>(
        [&](auto half) { Isa::store(out[b].scale[half], Format::template scale<half>(tile, b)); });
    if constexpr (Format::kHasMin) Isa::store(out[b].min, Format::min(tile, b));
  }
}

}  // namespace llama_gpu::cpu
