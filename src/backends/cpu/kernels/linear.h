// SPDX-License-Identifier: Apache-2.0
//
// Products of activation rows with packed weights.
//
// Invariance. An output is  acc = fma(scale_w * scale_x, float(integer sum), acc)  over the blocks (halves of
// them, where a weight's halves have scales) in order of k, and each block's minimums after them. The integer
// sums are exact, so their order is free; the float operations are these in every instantiation, however many
// rows and tiles are computed side by side. That is why one row alone, a batch and a prompt give the same
// bits.
//
// Rows side by side with a fine block (ActivationBlock) take its path together. A row whose own block is not
// fine then has 128 times the sum, which a float still holds exactly, and a 128th of the scale: the same
// product.
//
// Few rows read the packed weight as it streams from memory. Many rows unpack two tiles once into scratch
// memory, which stays in the first-level cache while all rows pass.
#pragma once

#include "backends/cpu/kernels/kernel_table.h"
#include "backends/cpu/kernels/quant_formats.h"
#include "backends/cpu/kernels/unroll.h"

namespace llama_gpu::cpu {

// Bytes ahead of the block in use that are asked for. The hardware fetches too late once several rows make a
// line cost more than it takes to load; eight rows run at half speed without this.
inline constexpr int64_t kPrefetchBytes = 2880;

// Weights that are wanted soon: `step_bytes` more with each block that is computed.
struct Ahead {
  const std::byte* data;
  int64_t step_bytes;

  // Into the second-level cache: the first has too few slots for lines on their way. An address behind the
  // weight is no error.
  [[gnu::always_inline]] void prefetch(int64_t block) const {
    for (int64_t byte = 0; byte < step_bytes; byte += 64) {
      __builtin_prefetch(data + block * step_bytes + byte, /*is write*/ 0, /*locality*/ 2);
    }
  }
};

// One call of the product kernel: tiles first_tile .. at w[0], w[1], ..., rows first_row .. .
struct Panel {
  const std::byte* const* w;
  int64_t first_tile;
  int64_t first_row;
  Ahead ahead;
};

// Adds or stores tile t's 16 outputs of row n.
template <class Isa>
[[gnu::always_inline]] inline void store_outputs(const TileProduct& p, int64_t t, int64_t n,
                                                 typename Isa::F sums) {
  float* y = p.y + n * p.y_stride + t * kTileRows;
  const int64_t outputs = p.outputs - t * kTileRows;
  if (outputs >= kTileRows) {
    Isa::store(y, p.add_to_y ? Isa::add(Isa::load(y), sums) : sums);
  } else {
    Isa::store_first(y, p.add_to_y ? Isa::add(Isa::load_first(y, outputs), sums) : sums, outputs);
  }
}

// The dot product that the format's bytes need.
template <class Isa, class Format>
[[gnu::always_inline]] inline typename Isa::I dot4(typename Isa::I acc, typename Isa::B w,
                                                   typename Isa::B x) {
  if constexpr (Format::kIsWide)
    return Isa::dot4_s8(acc, w, x);
  else
    return Isa::dot4_u7(acc, w, x);
}

// What kOffset adds to an integer sum, taken back beforehand: `sums` are those of the activations' halves.
template <class Format>
[[gnu::always_inline]] inline int32_t offset_sum(const int32_t (&sums)[2], int half) {
  return -Format::kOffset * (Format::kHalves == 2 ? sums[half] : sums[0] + sums[1]);
}

// Adds the products of a part of block b, which is all of it or the half with a scale of its own, to T x N
// integer sums: of the rows' `bytes`, q or fine.
template <class Isa, class Format, int half, int T, int N>
[[gnu::always_inline]] inline void add_products(const std::byte* const* w, int64_t b,
                                                const ActivationBlock* x, int64_t row_blocks,
                                                int8_t (ActivationBlock::*bytes)[kBlockCols],
                                                typename Isa::I (&sum)[T][N]) {
  constexpr int kPartGroups = kGroups / Format::kHalves;
  unroll<kPartGroups>([&](auto i) {
    constexpr int g = half * kPartGroups + i;
    typename Isa::B weights[T];
    unroll<T>([&](auto t) { weights[t] = Format::template group<g>(w[t], b); });
    unroll<N>([&](auto n) {
      const auto values = Isa::broadcast4(x[n * row_blocks].*bytes + 4 * g);
      unroll<T>([&](auto t) { sum[t][n] = dot4<Isa, Format>(sum[t][n], weights[t], values); });
    });
  });
}

// T tiles times N rows.
template <class Isa, class Format, int T, int N>
[[gnu::flatten]] void quant_product(const TileProduct& p, const Panel& panel) {
  using F = typename Isa::F;
  const int64_t num_blocks = p.cols / kBlockCols;
  const std::byte* const* w = panel.w;
  const ActivationBlock* x = p.x_blocks + panel.first_row * num_blocks;
  F acc[T][N];
  unroll<T>([&](auto t) { unroll<N>([&](auto n) { acc[t][n] = Isa::zero(); }); });

  for (int64_t b = 0; b < num_blocks; ++b, ++x) {
    panel.ahead.prefetch(b);
    int32_t is_fine = 0;
    unroll<N>([&](auto n) { is_fine |= x[n * num_blocks].is_fine; });
    unroll<Format::kHalves>([&](auto half) {
      typename Isa::I sum[T][N];
      unroll<N>([&](auto n) {
        sum[0][n] = Format::kOffset == 0 ? Isa::zero_int()
                                         : Isa::set1_int(offset_sum<Format>(x[n * num_blocks].sums, half));
        unroll<T - 1>([&](auto t) { sum[t + 1][n] = sum[0][n]; });
      });
      add_products<Isa, Format, half>(w, b, x, num_blocks, &ActivationBlock::q, sum);
      if (is_fine != 0) {
        unroll<N>([&](auto n) {
          unroll<T>([&](auto t) {
            sum[t][n] = Isa::template shift_left<kFineBits>(sum[t][n]);
            if constexpr (Format::kOffset != 0) {
              const int32_t offset = offset_sum<Format>(x[n * num_blocks].fine_sums, half);
              sum[t][n] = Isa::add(sum[t][n], Isa::set1_int(offset));
            }
          });
        });
        add_products<Isa, Format, half>(w, b, x, num_blocks, &ActivationBlock::fine, sum);
      }
      unroll<T>([&](auto t) {
        const F scale = Format::template scale<half>(w[t], b);
        unroll<N>([&](auto n) {
          const ActivationBlock& block = x[n * num_blocks];
          const F both = Isa::mul(scale, Isa::set1(is_fine != 0 ? block.fine_scale : block.scale));
          acc[t][n] = Isa::fma(both, Isa::to_float(sum[t][n]), acc[t][n]);
        });
      });
    });
    if constexpr (Format::kHasMin) {
      unroll<T>([&](auto t) {
        const F min = Format::min(w[t], b);
        unroll<N>(
            [&](auto n) { acc[t][n] = Isa::fma(min, Isa::set1(x[n * num_blocks].scaled_sum), acc[t][n]); });
      });
    }
  }
  unroll<T>([&](auto t) {
    const int64_t tile = panel.first_tile + t;
    if (tile < p.end_tile) {
      unroll<N>([&](auto n) { store_outputs<Isa>(p, tile, panel.first_row + n, acc[t][n]); });
    }
  });
}

// Calls product(Constant<n>, part, first_row) for parts of at most `max` rows, as even as can be.
template <int max, class Product>
[[gnu::always_inline]] inline void for_row_parts(int64_t num_rows, const Product& product) {
  const int64_t parts = (num_rows + max - 1) / max;
  for (int64_t part = 0, row = 0; part < parts; ++part) {
    const int64_t size = (num_rows - row + (parts - part) - 1) / (parts - part);
    with_constant<max>(size, [&](auto n) { product(n, part, row); });
    row += size;
  }
}

// Few rows: the packed weight is read once, as it streams from memory.
template <class Isa, class Format>
void quant_linear_direct(const TileProduct& p) {
  for (int64_t t = p.first_tile; t < p.end_tile; ++t) {
    const std::byte* tile = p.tiles + t * p.tile_bytes;
    const Ahead ahead = {tile + kPrefetchBytes, p.tile_bytes / (p.cols / kBlockCols)};
    for_row_parts<Isa::kDirectPanelRows>(p.num_rows, [&](auto n, int64_t, int64_t row) {
      quant_product<Isa, Format, 1, n>(p, {&tile, t, row, ahead});
    });
  }
}

// Many rows: tiles are unpacked once, and fetched while the ones before them are computed.
template <class Isa, class Format>
void quant_linear_unpacked(const TileProduct& p) {
  constexpr int kTiles = Isa::kProductTiles;
  const int64_t num_blocks = p.cols / kBlockCols;
  const int64_t parts = (p.num_rows + Isa::kProductRows - 1) / Isa::kProductRows;
  for (int64_t t = p.first_tile; t < p.end_tile; t += kTiles) {
    const std::byte* tiles[kTiles];
    for (int i = 0; i < kTiles; ++i) {
      UnpackedBlock* scratch = p.scratch + i * num_blocks;
      // A last tile without a partner multiplies what the scratch held before, and stores nothing of it.
      if (t + i < p.end_tile) unpack<Isa, Format>(p.tiles + (t + i) * p.tile_bytes, num_blocks, scratch);
      tiles[i] = reinterpret_cast<const std::byte*>(scratch);
    }
    const std::byte* next = p.tiles + (t + kTiles) * p.tile_bytes;
    const int64_t step = (kTiles * p.tile_bytes + parts * num_blocks - 1) / (parts * num_blocks);
    for_row_parts<Isa::kProductRows>(p.num_rows, [&](auto n, int64_t part, int64_t row) {
      const Ahead ahead = {next + part * num_blocks * step, step};
      quant_product<Isa, Unpacked<Isa, Format>, kTiles, n>(p, {tiles, t, row, ahead});
    });
  }
}

// All rows times the tiles of a quantised weight.
template <class Isa, class Format>
void quant_linear(const TileProduct& p) {
  if (p.num_rows <= Isa::kDirectRows) {
    quant_linear_direct<Isa, Format>(p);
  } else {
    quant_linear_unpacked<Isa, Format>(p);
  }
}

// The float types: a tile is [cols][16 rows], read as floats one column at a time.
template <class Isa>
struct LoadF32 {
  using Element = float;
  static typename Isa::F load(const float* p) { return Isa::load(p); }
};
template <class Isa>
struct LoadF16 {
  using Element = uint16_t;
  static typename Isa::F load(const uint16_t* p) { return Isa::load_f16(p); }
};
template <class Isa>
struct LoadBF16 {
  using Element = uint16_t;
  static typename Isa::F load(const uint16_t* p) { return Isa::load_bf16(p); }
};

// Two tiles at w[0], w[1] times N rows; each output adds its products in order of k.
template <class Isa, class Load, int T, int N>
[[gnu::flatten]] void float_product(const TileProduct& p, const typename Load::Element* const* w,
                                    int64_t first_tile, int64_t first_row) {
  const float* x = p.x + first_row * p.x_stride;
  typename Isa::F acc[T][N];
  unroll<T>([&](auto t) { unroll<N>([&](auto n) { acc[t][n] = Isa::zero(); }); });
  for (int64_t k = 0; k < p.cols; ++k) {
    typename Isa::F weights[T];
    unroll<T>([&](auto t) { weights[t] = Load::load(w[t] + k * kTileRows); });
    unroll<N>([&](auto n) {
      const auto value = Isa::set1(x[n * p.x_stride + k]);
      unroll<T>([&](auto t) { acc[t][n] = Isa::fma(weights[t], value, acc[t][n]); });
    });
  }
  unroll<T>([&](auto t) {
    if (first_tile + t < p.end_tile) {
      unroll<N>([&](auto n) { store_outputs<Isa>(p, first_tile + t, first_row + n, acc[t][n]); });
    }
  });
}

// All rows times the tiles of a weight of a float type.
template <class Isa, class Load>
void float_linear(const TileProduct& p) {
  constexpr int kTiles = Isa::kProductTiles;
  for (int64_t t = p.first_tile; t < p.end_tile; t += kTiles) {
    const typename Load::Element* tiles[kTiles];
    for (int i = 0; i < kTiles; ++i) {
      const int64_t tile = t + i < p.end_tile ? t + i : t;  // a last tile without a partner counts twice
      tiles[i] = reinterpret_cast<const typename Load::Element*>(p.tiles + tile * p.tile_bytes);
    }
    for_row_parts<Isa::kProductRows>(p.num_rows, [&](auto n, int64_t, int64_t row) {
      float_product<Isa, Load, kTiles, n>(p, tiles, t, row);
    });
  }
}

}  // namespace llama_gpu::cpu
