// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "device/device.h"
#include "ops/step_layout.h"
#include "tensor/views.h"

namespace llama_gpu {

// A weight matrix in the layout of the backend that packed it. Immutable, so any number of threads read it.
class Weight {
 public:
  virtual ~Weight() = default;
  virtual int64_t rows() const = 0;  // outputs
  virtual int64_t cols() const = 0;  // inputs
  virtual DType dtype() const = 0;   // what the file held
  virtual size_t size_bytes() const = 0;
};

// y[i] = row tokens[i] of `table`.
struct EmbedArgs {
  const Weight& table;              // [vocab, dim]
  std::span<const TokenId> tokens;  // [rows], host memory
  MatrixView<float> y;              // [rows, dim]
};

// y[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight. (Zhang and Sennrich 2019, arXiv:1910.07467)
struct RmsNormArgs {
  MatrixView<const float> x;  // [rows, dim]
  const Weight& weight;       // [1, dim]
  float eps;
  MatrixView<float> y;  // [rows, dim], may alias x
};

// One product of a linear op. `y` = x * weight^T, or y += where `add_to_y` (a residual).
struct LinearTarget {
  const Weight* weight;  // [out, in]
  MatrixView<float> y;   // [rows, out], never aliases x
  bool add_to_y = false;
};

// Products of the same rows with several weights (Q, K, V; gate and up), so that a backend prepares x once.
struct LinearArgs {
  MatrixView<const float> x;  // [rows, in]
  std::span<const LinearTarget> targets;
  // Whether accuracy is worth more time than usual: for logits, whose errors nothing evens out any more.
  bool is_precise = false;
};

// angles[r] = cos and sin of position[r] * inverse_frequency[i], interleaved (cos, sin), in double before
// rounding. Once per step, for all layers.
struct RopeAnglesArgs {
  std::span<const int32_t> positions;           // [rows], host memory
  std::span<const double> inverse_frequencies;  // [rotary_dim / 2], host memory
  MatrixView<float> angles;                     // [rows, rotary_dim]
};

// Which two numbers of a head turn together.
enum class RopePairing : uint8_t {
  kAdjacent,  // (x[2i], x[2i+1]): llama files in GGUF
  kHalves,    // (x[i], x[i + rotary_dim/2]): GPT-NeoX order, Qwen
};

// Rotates each head of x in place. (Su et al. 2021, arXiv:2104.09864)
struct RopeArgs {
  MatrixView<float> x;             // [rows, heads * head_dim]
  MatrixView<const float> angles;  // [rows, rotary_dim]
  int32_t head_dim;
  RopePairing pairing;
};

// Stores each row's key and value at its position in the layer's blocks.
struct KvWriteArgs {
  MatrixView<const float> k;  // [rows, kv_heads * head_dim]
  MatrixView<const float> v;  // [rows, kv_heads * head_dim]
  const StepLayout& layout;
  const KvLayer& kv;
};

// Causal attention of each row over its sequence's keys 0 .. position, query head h reading kv head
// h / (heads / kv_heads). The rows' own keys are already written.
struct AttentionArgs {
  MatrixView<const float> q;  // [rows, heads * head_dim]
  const StepLayout& layout;
  const KvLayer& kv;
  float scale;          // multiplies q.k, usually 1 / sqrt(head_dim)
  MatrixView<float> y;  // [rows, heads * head_dim], never aliases q
};

// y = silu(gate) * up, silu(x) = x / (1 + exp(-x)).
struct SwigluArgs {
  MatrixView<const float> gate;  // [rows, dim]
  MatrixView<const float> up;    // [rows, dim]
  MatrixView<float> y;           // [rows, dim], may alias gate or up
};

// y[i] = x[rows[i]].
struct GatherRowsArgs {
  MatrixView<const float> x;
  std::span<const int32_t> rows;  // host memory, ascending
  MatrixView<float> y;            // [rows.size(), x.cols]
};

// What a backend can compute. Calls queue work on the stream and never fail by themselves: a fault marks the
// stream (Stream::wait). A null entry means unsupported and is found when a model is loaded.
//
// A row of a result depends on that row's inputs only, to the bit: not on the batch around it, on how a
// prompt was cut into chunks, or on the number of threads.
struct OpTable {
  void (*begin_step)(Stream&, const StepLayout&) = nullptr;
  void (*embed)(Stream&, const EmbedArgs&) = nullptr;
  void (*rms_norm)(Stream&, const RmsNormArgs&) = nullptr;
  void (*linear)(Stream&, const LinearArgs&) = nullptr;
  void (*rope_angles)(Stream&, const RopeAnglesArgs&) = nullptr;
  void (*rope)(Stream&, const RopeArgs&) = nullptr;
  void (*kv_write)(Stream&, const KvWriteArgs&) = nullptr;
  void (*attention)(Stream&, const AttentionArgs&) = nullptr;
  void (*swiglu)(Stream&, const SwigluArgs&) = nullptr;
  void (*gather_rows)(Stream&, const GatherRowsArgs&) = nullptr;
};

}  // namespace llama_gpu
