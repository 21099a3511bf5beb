// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "device/arena.h"
#include "formats/checkpoint.h"
#include "ops/backend.h"

namespace llama_gpu::models {

// The hyperparameters of a model, checked against each other. Immutable after load.
struct ModelConfig {
  std::string architecture;
  std::string name;  // general.name, may be empty
  int32_t num_layers = 0;
  int32_t model_dim = 0;
  int32_t ffn_dim = 0;
  int32_t num_heads = 0;
  int32_t num_kv_heads = 0;  // divides num_heads
  int32_t head_dim = 0;
  int32_t vocab_size = 0;
  int32_t train_context_tokens = 0;
  float norm_eps = 0;
  RopePairing rope_pairing = RopePairing::kAdjacent;
  std::vector<double> inverse_frequencies;  // [rotary_dim / 2], scaling applied

  int64_t q_dim() const { return int64_t{num_heads} * head_dim; }
  int64_t kv_dim() const { return int64_t{num_kv_heads} * head_dim; }
  int64_t rotary_dim() const { return 2 * static_cast<int64_t>(inverse_frequencies.size()); }
};

// What the weights of a model amount to.
struct WeightTotals {
  uint64_t packed_bytes = 0;
  int64_t num_parameters = 0;
  int64_t matmul_bytes_per_token = 0;  // read by a decode step, lm_head included
};

// One step's inputs and memory. Everything is borrowed for the call.
struct ForwardArgs {
  const StepLayout& layout;
  std::span<const KvLayer> kv;  // [num_layers]
  Arena& workspace;             // of at least workspace_bytes(), reset by forward()
};

// Immutable config and weights with the forward pass of their family.
//
// Any number of threads may run forward(), each with its own stream, workspace and KV.
class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelConfig& config() const = 0;
  virtual const WeightTotals& weight_totals() const = 0;

  // Bytes of workspace for steps of up to `max_rows` rows, `max_outputs` of which give logits.
  virtual size_t workspace_bytes(int64_t max_rows, int64_t max_outputs) const = 0;

  // Queues one step and returns the logits of its output rows, [output_rows, vocab], in device memory that
  // stays valid until the workspace is used again. Faults mark the stream.
  virtual MatrixView<const float> forward(Stream& stream, const ForwardArgs& args) const = 0;
};

// How one family of models is loaded; a row of the table in model_family.cc.
struct ModelFamily {
  std::string_view architecture;  // general.architecture
  Result<std::unique_ptr<const Model>> (*load)(const formats::Checkpoint&, Backend&);
};

// All families that this program runs.
std::span<const ModelFamily> model_families();

// Loads the model of a checkpoint onto `backend`, which outlives it. The checkpoint may go afterwards.
// Errors: kUnsupportedModel naming what is missing; kModelInvalid naming the key or tensor at fault.
Result<std::unique_ptr<const Model>> load_model(const formats::Checkpoint& checkpoint, Backend& backend);

}  // namespace llama_gpu::models
