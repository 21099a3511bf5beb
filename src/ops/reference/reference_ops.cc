// SPDX-License-Identifier: Apache-2.0
//
// The specification of every op. Sums and functions in double, results rounded to float once, loops in the
// order of the formula: this file is checked by eye, and every backend is compared with it.
#include "ops/reference/reference_ops.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "tensor/blocks.h"

namespace llama_gpu::reference {
namespace {

const ReferenceWeight& own(const Weight& weight) { return static_cast<const ReferenceWeight&>(weight); }

// Sum of a[i] * b[i]. Four sums side by side, or 16 tokens of a small model would take half a minute.
double dot(std::span<const float> a, std::span<const double> b) {
  const size_t size = a.size();
  double sums[4] = {};
  for (size_t i = 0; i + 4 <= size; i += 4) {
    for (size_t lane = 0; lane < 4; ++lane) sums[lane] += double{a[i + lane]} * b[i + lane];
  }
  for (size_t i = size / 4 * 4; i < size; ++i) sums[0] += double{a[i]} * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void begin_step(Stream&, const StepLayout&) {}

void embed(Stream&, const EmbedArgs& args) {
  for (size_t i = 0; i < args.tokens.size(); ++i) {
    const std::vector<float> values = own(args.table).values(args.tokens[i]);
    std::ranges::copy(values, args.y.row(static_cast<int64_t>(i)).begin());
  }
}

void rms_norm(Stream&, const RmsNormArgs& args) {
  const std::vector<float> weight = own(args.weight).values(0);
  for (int64_t r = 0; r < args.x.rows; ++r) {
    const std::span<const float> x = args.x.row(r);
    double sum_of_squares = 0;
    for (const float value : x) sum_of_squares += double{value} * value;
    const double scale = 1.0 / std::sqrt(sum_of_squares / static_cast<double>(x.size()) + double{args.eps});
    for (size_t c = 0; c < x.size(); ++c) args.y.row(r)[c] = static_cast<float>(x[c] * scale * weight[c]);
  }
}

void linear_target(const LinearTarget& target, MatrixView<const float> x) {
  std::vector<double> rows(static_cast<size_t>(x.rows * x.cols));
  for (int64_t r = 0; r < x.rows; ++r) std::ranges::copy(x.row(r), rows.begin() + r * x.cols);
  for (int64_t out = 0; out < target.weight->rows(); ++out) {
    const std::vector<float> weight = own(*target.weight).values(out);
    for (int64_t r = 0; r < x.rows; ++r) {
      float& y = target.y.row(r)[static_cast<size_t>(out)];
      const double product =
          dot(weight, std::span(rows).subspan(static_cast<size_t>(r * x.cols), weight.size()));
      y = static_cast<float>(target.add_to_y ? double{y} + product : product);
    }
  }
}

void linear(Stream&, const LinearArgs& args) {
  for (const LinearTarget& target : args.targets) linear_target(target, args.x);
}

void rope_angles(Stream&, const RopeAnglesArgs& args) {
  for (size_t r = 0; r < args.positions.size(); ++r) {
    const std::span<float> row = args.angles.row(static_cast<int64_t>(r));
    for (size_t i = 0; i < args.inverse_frequencies.size(); ++i) {
      const double angle = args.positions[r] * args.inverse_frequencies[i];
      row[2 * i] = static_cast<float>(std::cos(angle));
      row[2 * i + 1] = static_cast<float>(std::sin(angle));
    }
  }
}

void rope(Stream&, const RopeArgs& args) {
  const int64_t pairs = args.angles.cols / 2;
  for (int64_t r = 0; r < args.x.rows; ++r) {
    const std::span<const float> angles = args.angles.row(r);
    for (int64_t head = 0; head < args.x.cols / args.head_dim; ++head) {
      float* x = args.x.row(r).data() + head * args.head_dim;
      for (int64_t i = 0; i < pairs; ++i) {
        float& a = args.pairing == RopePairing::kAdjacent ? x[2 * i] : x[i];
        float& b = args.pairing == RopePairing::kAdjacent ? x[2 * i + 1] : x[i + pairs];
        const double cos = double{angles[2 * i]}, sin = double{angles[2 * i + 1]}, old_a = a, old_b = b;
        a = static_cast<float>(old_a * cos - old_b * sin);
        b = static_cast<float>(old_a * sin + old_b * cos);
      }
    }
  }
}

// The key (or, with `is_value`, the value) of `head` at `position`: [head_dim].
float* kv_entry(const KvLayer& kv, const SequenceRows& sequence, int32_t position, int32_t head,
                bool is_value) {
  const KvGeometry& shape = kv.geometry;
  const BlockId block = sequence.block_table[static_cast<size_t>(position / shape.block_tokens)];
  const int64_t token = position % shape.block_tokens + (is_value ? shape.block_tokens : 0);
  return reinterpret_cast<float*>(kv.data + block * kv.block_bytes) +
         (token * shape.num_kv_heads + head) * shape.head_dim;
}

void kv_write(Stream&, const KvWriteArgs& args) {
  const KvGeometry& shape = args.kv.geometry;
  for (const SequenceRows& sequence : args.layout.sequences) {
    for (int32_t i = 0; i < sequence.num_rows; ++i) {
      for (int32_t head = 0; head < shape.num_kv_heads; ++head) {
        const int32_t position = sequence.first_position + i;
        const float* k = args.k.row(sequence.first_row + i).data() + head * shape.head_dim;
        const float* v = args.v.row(sequence.first_row + i).data() + head * shape.head_dim;
        std::copy_n(k, shape.head_dim, kv_entry(args.kv, sequence, position, head, false));
        std::copy_n(v, shape.head_dim, kv_entry(args.kv, sequence, position, head, true));
      }
    }
  }
}

// softmax(scale * q.k) . v over positions 0 .. position, for one head of one row.
void attend(const AttentionArgs& args, const SequenceRows& sequence, int32_t row, int32_t head) {
  const KvGeometry& shape = args.kv.geometry;
  const auto heads = static_cast<int32_t>(args.q.cols / shape.head_dim);
  const int32_t kv_head = head / (heads / shape.num_kv_heads);
  const int32_t position = sequence.first_position + row;
  const float* q = args.q.row(sequence.first_row + row).data() + head * shape.head_dim;

  std::vector<double> weights(static_cast<size_t>(position) + 1);
  for (int32_t p = 0; p <= position; ++p) {
    const float* k = kv_entry(args.kv, sequence, p, kv_head, false);
    double score = 0;
    for (int32_t d = 0; d < shape.head_dim; ++d) score += double{q[d]} * k[d];
    weights[static_cast<size_t>(p)] = score * args.scale;
  }
  const double largest = *std::ranges::max_element(weights);
  double total = 0;
  for (double& weight : weights) total += weight = std::exp(weight - largest);

  std::vector<double> sums(static_cast<size_t>(shape.head_dim));
  for (int32_t p = 0; p <= position; ++p) {
    const float* v = kv_entry(args.kv, sequence, p, kv_head, true);
    for (size_t d = 0; d < sums.size(); ++d) sums[d] += weights[static_cast<size_t>(p)] * v[d];
  }
  float* y = args.y.row(sequence.first_row + row).data() + head * shape.head_dim;
  for (size_t d = 0; d < sums.size(); ++d) y[d] = static_cast<float>(sums[d] / total);
}

void attention(Stream&, const AttentionArgs& args) {
  for (const SequenceRows& sequence : args.layout.sequences) {
    for (int32_t row = 0; row < sequence.num_rows; ++row) {
      for (int32_t head = 0; head < args.q.cols / args.kv.geometry.head_dim; ++head)
        attend(args, sequence, row, head);
    }
  }
}

void swiglu(Stream&, const SwigluArgs& args) {
  for (int64_t r = 0; r < args.gate.rows; ++r) {
    for (int64_t c = 0; c < args.gate.cols; ++c) {
      const auto i = static_cast<size_t>(c);
      const double gate = args.gate.row(r)[i];
      args.y.row(r)[i] = static_cast<float>(gate / (1.0 + std::exp(-gate)) * args.up.row(r)[i]);
    }
  }
}

void gather_rows(Stream&, const GatherRowsArgs& args) {
  for (size_t i = 0; i < args.rows.size(); ++i) {
    std::ranges::copy(args.x.row(args.rows[i]), args.y.row(static_cast<int64_t>(i)).begin());
  }
}

}  // namespace

std::vector<float> ReferenceWeight::values(int64_t row) const {
  const auto size = static_cast<size_t>(row_bytes(dtype_, cols_));
  std::vector<float> values(static_cast<size_t>(cols_));
  dequantize(dtype_, std::span(bytes_).subspan(static_cast<size_t>(row) * size, size), values);
  return values;
}

const OpTable& op_table() {
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

int64_t kv_block_bytes(const KvGeometry& geometry) {
  return int64_t{2} * geometry.block_tokens * geometry.num_kv_heads * geometry.head_dim *
         static_cast<int64_t>(sizeof(float));
}

}  // namespace llama_gpu::reference
