// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/cpu_linear.h"

#include <algorithm>

#include "backends/cpu/packed_weight.h"
#include "base/check.h"
#include "base/checked_math.h"

namespace llama_gpu::cpu {
namespace {

const PackedWeight& packed(const LinearTarget& target) {
  return static_cast<const PackedWeight&>(*target.weight);
}

bool is_quantised(const PackedWeight& weight) { return dtype_info(weight.dtype()).block_values > 1; }

// Rows [first_row, first_row + num_rows) of a linear op on some of its targets.
struct LinearPart {
  MatrixView<const float> x;  // these rows only
  int64_t first_row;
  std::span<const LinearTarget> targets;
  bool is_precise;
};

// How a part is cut: pieces of some neighbouring tiles and some rows.
struct LinearCut {
  int64_t tiles_per_piece;
  int64_t rows_per_piece;
  int64_t row_pieces;

  int64_t pieces(const LinearTarget& target) const {
    if (packed(target).is_vector()) return 1;
    return ceil_div(packed(target).num_tiles(), tiles_per_piece) * row_pieces;
  }
};

LinearCut cut_linear(const LinearPart& part, int64_t num_threads) {
  int64_t tiles = 0;
  for (const LinearTarget& target : part.targets) tiles += packed(target).num_tiles();
  // Few rows stream weights from memory: long pieces. Many rows compute: short ones, so that threads end
  // together.
  const int64_t pieces_per_thread = part.x.rows <= 4 ? 4 : 16;
  const int64_t pairs = tiles / (kScratchTiles * pieces_per_thread * num_threads);
  LinearCut cut = {.tiles_per_piece = kScratchTiles * std::max<int64_t>(1, pairs),
                   .rows_per_piece = part.x.rows,
                   .row_pieces = 1};
  // Where a weight has fewer tiles than many threads need, rows are shared too; each share unpacks the
  // weights again, which 48 rows make cheap.
  constexpr int64_t kRowsWorthUnpacking = 48;
  const int64_t tile_pieces = ceil_div(tiles, cut.tiles_per_piece);
  const int64_t wanted = ceil_div(4 * num_threads, std::max<int64_t>(1, tile_pieces));
  cut.row_pieces = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, part.x.rows / kRowsWorthUnpacking));
  cut.rows_per_piece = ceil_div(part.x.rows, cut.row_pieces);
  cut.row_pieces = ceil_div(part.x.rows, cut.rows_per_piece);
  return cut;
}

// A weight of one row: plain floats on both sides.
void vector_product(const CpuContext& context, const LinearPart& part, const LinearTarget& target) {
  for (int64_t r = 0; r < part.x.rows; ++r) {
    float& y = target.y.row(part.first_row + r)[0];
    const float product = context.kernels().dot(packed(target).vector(), part.x.row(r).data(), part.x.cols);
    y = target.add_to_y ? y + product : product;
  }
}

void tile_product(const CpuContext& context, const LinearTarget& target, TileProduct product) {
  const PackedWeight& weight = packed(target);
  product.tiles = weight.tiles();
  product.tile_bytes = weight.bytes_per_tile();
  product.outputs = weight.rows();
  product.cols = weight.cols();
  product.end_tile = std::min(product.end_tile, weight.num_tiles());
  product.add_to_y = target.add_to_y;
  context.kernels().linear[static_cast<size_t>(weight.dtype())](product);
}

// Piece `piece` of one target.
void compute_piece(CpuContext& context, const LinearPart& part, const LinearCut& cut,
                   const LinearTarget& target, int64_t piece, int thread) {
  if (packed(target).is_vector()) return vector_product(context, part, target);
  const int64_t first_tile = piece / cut.row_pieces * cut.tiles_per_piece;
  const int64_t first_row = piece % cut.row_pieces * cut.rows_per_piece;
  tile_product(context, target,
               {.tiles = nullptr,
                .tile_bytes = 0,
                .outputs = 0,
                .cols = 0,
                .first_tile = first_tile,
                .end_tile = first_tile + cut.tiles_per_piece,
                .x_blocks = context.activations() + first_row * (part.x.cols / kBlockCols),
                .x = part.x.data + first_row * part.x.stride,
                .x_stride = part.x.stride,
                .num_rows = std::min(cut.rows_per_piece, part.x.rows - first_row),
                .y = target.y.data + (part.first_row + first_row) * target.y.stride,
                .y_stride = target.y.stride,
                .add_to_y = false,
                .scratch = reinterpret_cast<UnpackedBlock*>(context.thread_scratch(thread))});
}

// Blocks this much larger than the mean of their row are stored with more bits: one in seven on the default
// model, where that takes as long as a scale for each 16 values did.
constexpr float kFineFrom = 1.5f;

// Quantises the rows where a target needs it.
void prepare_rows(CpuContext& context, const LinearPart& part) {
  const bool is_needed = std::ranges::any_of(part.targets, [](const LinearTarget& target) {
    return is_quantised(packed(target)) && !packed(target).is_vector();
  });
  if (!is_needed) return;
  const int64_t blocks = part.x.cols / kBlockCols;
  const float fine_from = part.is_precise ? 0.0f : kFineFrom;
  const auto quantize = [&](int64_t row) {
    context.kernels().quantize_row(part.x.row(row).data(), part.x.cols, fine_from,
                                   context.activations() + row * blocks);
  };
  if (part.x.rows <= 4) {
    for (int64_t row = 0; row < part.x.rows; ++row) quantize(row);
  } else {
    context.pool().run(part.x.rows, [&](int64_t row, int) { quantize(row); });
  }
}

void compute_part(CpuContext& context, const LinearPart& part) {
  prepare_rows(context, part);
  const LinearCut cut = cut_linear(part, context.pool().num_threads());
  int64_t pieces = 0;
  for (const LinearTarget& target : part.targets) pieces += cut.pieces(target);
  context.pool().run(pieces, [&](int64_t piece, int thread) {
    for (const LinearTarget& target : part.targets) {
      const int64_t own = cut.pieces(target);
      if (piece < own) return compute_piece(context, part, cut, target, piece, thread);
      piece -= own;
    }
  });
}

}  // namespace

void run_linear(CpuContext& context, const LinearArgs& args) {
  const std::scoped_lock lock(context.scratch_mutex());
  for (int64_t row = 0; row < args.x.rows; row += context.max_rows()) {
    const int64_t rows = std::min(context.max_rows(), args.x.rows - row);
    const MatrixView<const float> x(args.x.data + row * args.x.stride, rows, args.x.cols, args.x.stride);
    compute_part(context, {x, row, args.targets, args.is_precise});
  }
}

}  // namespace llama_gpu::cpu
