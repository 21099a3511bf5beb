// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/cpu_ops.h"

#include <algorithm>
#include <cmath>

#include "backends/cpu/cpu_context.h"
#include "backends/cpu/cpu_linear.h"
#include "backends/cpu/packed_weight.h"
#include "base/check.h"
#include "base/checked_math.h"

namespace llama_gpu::cpu {
namespace {

CpuContext& context_of(Stream& stream) { return static_cast<CpuStream&>(stream).context(); }
const PackedWeight& packed(const Weight& weight) { return static_cast<const PackedWeight&>(weight); }

// A few microseconds of vector work: less is not worth waking another thread for.
constexpr int64_t kWorthSharing = 1 << 15;

// Calls work(row) for each row, on all threads where rows * numbers_per_row are enough to share.
template <class Work>
void for_rows(CpuContext& context, int64_t rows, int64_t numbers_per_row, const Work& work) {
  if (rows * numbers_per_row < kWorthSharing) {
    for (int64_t row = 0; row < rows; ++row) work(row);
    return;
  }
  const int64_t pieces = std::min<int64_t>(rows, int64_t{4} * context.pool().num_threads());
  context.pool().run(pieces, [&](int64_t piece, int) {
    for (int64_t row = rows * piece / pieces; row < rows * (piece + 1) / pieces; ++row) work(row);
  });
}

void begin_step(Stream&, const StepLayout&) {}

void embed(Stream& stream, const EmbedArgs& args) {
  const PackedWeight& table = packed(args.table);
  for_rows(context_of(stream), std::ssize(args.tokens), args.y.cols,
           [&](int64_t row) { table.copy_row(args.tokens[static_cast<size_t>(row)], args.y.row(row)); });
}

void rms_norm(Stream& stream, const RmsNormArgs& args) {
  CpuContext& context = context_of(stream);
  const float* weight = packed(args.weight).vector();
  for_rows(context, args.x.rows, args.x.cols, [&](int64_t row) {
    context.kernels().rms_norm_row(args.x.row(row).data(), weight, args.x.cols, args.eps,
                                   args.y.row(row).data());
  });
}

void linear(Stream& stream, const LinearArgs& args) { run_linear(context_of(stream), args); }

void rope_angles(Stream& stream, const RopeAnglesArgs& args) {
  // A sine and a cosine in double cost as much as a hundred additions.
  const int64_t cost = 100 * std::ssize(args.inverse_frequencies);
  for_rows(context_of(stream), std::ssize(args.positions), cost, [&](int64_t row) {
    const std::span<float> angles = args.angles.row(row);
    for (size_t i = 0; i < args.inverse_frequencies.size(); ++i) {
      const double angle = args.positions[static_cast<size_t>(row)] * args.inverse_frequencies[i];
      angles[2 * i] = static_cast<float>(std::cos(angle));
      angles[2 * i + 1] = static_cast<float>(std::sin(angle));
    }
  });
}

void rope(Stream& stream, const RopeArgs& args) {
  CpuContext& context = context_of(stream);
  const KernelTable& kernels = context.kernels();
  const auto rotate =
      args.pairing == RopePairing::kAdjacent ? kernels.rope_row_adjacent : kernels.rope_row_halves;
  for_rows(context, args.x.rows, args.x.cols, [&](int64_t row) {
    rotate({args.x.row(row).data(), args.angles.row(row).data(), args.x.cols / args.head_dim, args.head_dim,
            args.angles.cols});
  });
}

void kv_write(Stream& stream, const KvWriteArgs& args) {
  CpuContext& context = context_of(stream);
  const KvLayout layout = KvLayout::of(args.kv.geometry);
  for (const SequenceRows& sequence : args.layout.sequences) {
    for_rows(context, sequence.num_rows, 8 * args.k.cols, [&](int64_t i) {
      const int64_t position = sequence.first_position + i;
      const BlockId block = sequence.block_table[static_cast<size_t>(position / layout.block_tokens)];
      context.kernels().kv_write({args.k.row(sequence.first_row + i).data(),
                                  args.v.row(sequence.first_row + i).data(), layout,
                                  reinterpret_cast<uint16_t*>(args.kv.data + block * args.kv.block_bytes),
                                  position % layout.block_tokens});
    });
  }
}

// How the queries of one attention call are cut: each piece takes up to `queries_per_piece` neighbouring
// queries of one sequence and kv head.
struct AttentionCut {
  int64_t kv_heads = 0;
  int64_t queries_per_row = 0;  // of one kv head
  int64_t queries_per_piece = 0;

  int64_t pieces_per_head(const SequenceRows& sequence) const {
    return ceil_div(sequence.num_rows * queries_per_row, queries_per_piece);
  }
};

AttentionCut cut_attention(const AttentionArgs& args, int num_threads) {
  const KvGeometry& geometry = args.kv.geometry;
  const int64_t heads = args.q.cols / geometry.head_dim;
  AttentionCut cut = {.kv_heads = geometry.num_kv_heads, .queries_per_row = heads / geometry.num_kv_heads};
  // Whole tiles of queries for every instruction set (2, 3 or 6), and pieces enough to keep all threads busy.
  constexpr int64_t kQueryTiles = 12;
  const int64_t wanted = args.q.rows * heads / (int64_t{8} * num_threads);
  cut.queries_per_piece = wanted >= kQueryTiles
                              ? std::min<int64_t>(wanted / kQueryTiles, 4) * kQueryTiles
                              : std::max<int64_t>(1, std::min(cut.queries_per_row, kQueryTiles));
  return cut;
}

// The work of piece `piece` of a sequence; the last queries come first, because they see the most keys.
AttentionTask attention_task(const AttentionArgs& args, const AttentionCut& cut, const SequenceRows& sequence,
                             int64_t piece) {
  const int64_t head_dim = args.kv.geometry.head_dim;
  const int64_t queries = sequence.num_rows * cut.queries_per_row;
  const int64_t head = piece % cut.kv_heads;
  const int64_t part = cut.pieces_per_head(sequence) - 1 - piece / cut.kv_heads;
  const int64_t first_column = head * cut.queries_per_row * head_dim;
  return {.q = args.q.row(sequence.first_row).data() + first_column,
          .q_stride = args.q.stride,
          .y = args.y.row(sequence.first_row).data() + first_column,
          .y_stride = args.y.stride,
          .queries_per_row = cut.queries_per_row,
          .first_query = part * cut.queries_per_piece,
          .end_query = std::min((part + 1) * cut.queries_per_piece, queries),
          .first_position = sequence.first_position,
          .scale = args.scale,
          .layout = KvLayout::of(args.kv.geometry),
          .kv_head = head,
          .kv = args.kv.data,
          .block_bytes = args.kv.block_bytes,
          .block_table = sequence.block_table.data(),
          .scratch = nullptr};
}

void attention(Stream& stream, const AttentionArgs& args) {
  CpuContext& context = context_of(stream);
  CHECK(args.kv.geometry.head_dim <= CpuContext::kMaxHeadDim,
        "a head is larger than attention's scratch memory");
  const std::scoped_lock lock(context.scratch_mutex());
  const AttentionCut cut = cut_attention(args, context.pool().num_threads());
  int64_t pieces = 0, numbers = 0;
  for (const SequenceRows& sequence : args.layout.sequences) {
    pieces += cut.pieces_per_head(sequence) * cut.kv_heads;
    numbers += int64_t{sequence.num_rows} * (sequence.first_position + sequence.num_rows) * args.q.cols;
  }
  const auto compute = [&](int64_t piece, int thread) {
    for (const SequenceRows& sequence : args.layout.sequences) {
      const int64_t own = cut.pieces_per_head(sequence) * cut.kv_heads;
      if (piece < own) {
        AttentionTask task = attention_task(args, cut, sequence, piece);
        task.scratch = reinterpret_cast<float*>(context.thread_scratch(thread));
        return context.kernels().attention(task);
      }
      piece -= own;
    }
  };
  if (numbers >= kWorthSharing) {
    context.pool().run(pieces, compute);
  } else {
    for (int64_t piece = 0; piece < pieces; ++piece) compute(piece, 0);
  }
}

void swiglu(Stream& stream, const SwigluArgs& args) {
  CpuContext& context = context_of(stream);
  for_rows(context, args.gate.rows, 4 * args.gate.cols, [&](int64_t row) {
    context.kernels().swiglu_row(args.gate.row(row).data(), args.up.row(row).data(), args.gate.cols,
                                 args.y.row(row).data());
  });
}

void gather_rows(Stream&, const GatherRowsArgs& args) {
  for (size_t i = 0; i < args.rows.size(); ++i) {
    std::ranges::copy(args.x.row(args.rows[i]), args.y.row(static_cast<int64_t>(i)).begin());
  }
}

}  // namespace

const OpTable& cpu_op_table() {
  static constexpr OpTable table = {
      .begin_step = begin_step,
      .embed = embed,
      .rms_norm = rms_norm,
      .linear = linear,
      .rope_angles = rope_angles,
      .rope = rope,
      .kv_write = kv_write,
      .attention = attention,
      .swiglu = swiglu,
      .gather_rows = gather_rows,
  };
  return table;
}

}  // namespace llama_gpu::cpu
