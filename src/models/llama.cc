// SPDX-License-Identifier: Apache-2.0
//
// The forward pass of the llama family: Llama 2 and 3, Mistral, SmolLM and what shares their file layout.
//
//   embed -> layers x [ norm -> q,k,v -> rope -> cache -> attention -> + -> norm -> gate,up -> swiglu -> down
//   -> + ]
//         -> rows that are asked for -> norm -> lm_head
//
// A new family copies this file: a table of tensors, a forward(), a row in model_family.cc.
#include "models/llama.h"

#include <cmath>

#include "models/weight_loader.h"

namespace llama_gpu::models {
namespace {

using WeightPtr = std::unique_ptr<const Weight>;

// Sizes that the shapes of the family's tensors are made of.
struct Dims {
  int64_t one = 1;
  int64_t model = 0;
  int64_t q = 0;
  int64_t kv = 0;
  int64_t ffn = 0;
};

struct LlamaLayer {
  WeightPtr attention_norm;  // [1, model]
  WeightPtr q;               // [q, model]
  WeightPtr k;               // [kv, model]
  WeightPtr v;               // [kv, model]
  WeightPtr attention_out;   // [model, q]
  WeightPtr ffn_norm;        // [1, model]
  WeightPtr gate;            // [ffn, model]
  WeightPtr up;              // [ffn, model]
  WeightPtr down;            // [model, ffn]
};

// One row for each tensor of a layer: its name after "blk.N.", its place and its shape.
struct LayerTensor {
  std::string_view name;
  WeightPtr LlamaLayer::* place;
  int64_t Dims::* rows;
  int64_t Dims::* cols;
};
constexpr LayerTensor kLayerTensors[] = {
    {"attn_norm.weight", &LlamaLayer::attention_norm, &Dims::one, &Dims::model},
    {"attn_q.weight", &LlamaLayer::q, &Dims::q, &Dims::model},
    {"attn_k.weight", &LlamaLayer::k, &Dims::kv, &Dims::model},
    {"attn_v.weight", &LlamaLayer::v, &Dims::kv, &Dims::model},
    {"attn_output.weight", &LlamaLayer::attention_out, &Dims::model, &Dims::q},
    {"ffn_norm.weight", &LlamaLayer::ffn_norm, &Dims::one, &Dims::model},
    {"ffn_gate.weight", &LlamaLayer::gate, &Dims::ffn, &Dims::model},
    {"ffn_up.weight", &LlamaLayer::up, &Dims::ffn, &Dims::model},
    {"ffn_down.weight", &LlamaLayer::down, &Dims::model, &Dims::ffn},
};

constexpr const char* kEmbedding = "token_embd.weight";
constexpr const char* kOutputNorm = "output_norm.weight";
constexpr const char* kOutput = "output.weight";           // absent where tied to the embedding
constexpr const char* kRopeFactors = "rope_freqs.weight";  // Llama 3: divisors of the rotary frequencies

std::string layer_tensor_name(int32_t layer, std::string_view name) {
  return "blk." + std::to_string(layer) + "." + std::string(name);
}

class LlamaModel : public Model {
 public:
  LlamaModel(ModelConfig config, const Backend& backend) : config_(std::move(config)), ops_(backend.ops()) {}

  const ModelConfig& config() const override { return config_; }
  const WeightTotals& weight_totals() const override { return totals_; }
  size_t workspace_bytes(int64_t max_rows, int64_t max_outputs) const override;
  MatrixView<const float> forward(Stream& stream, const ForwardArgs& args) const override;

  // Packs every tensor and counts what a decode step reads.
  Status load_weights(WeightLoader& loader, bool has_output);

 private:
  // The buffers of one step.
  struct Buffers {
    MatrixView<float> x;         // [rows, model]       the residual stream
    MatrixView<float> normed;    // [rows, model]
    MatrixView<float> q;         // [rows, q]
    MatrixView<float> k;         // [rows, kv]
    MatrixView<float> v;         // [rows, kv]
    MatrixView<float> attended;  // [rows, q]
    MatrixView<float> gate;      // [rows, ffn]
    MatrixView<float> up;        // [rows, ffn]
    MatrixView<float> angles;    // [rows, rotary]
    MatrixView<float> last;      // [outputs, model]
    MatrixView<float> logits;    // [outputs, vocab]
  };
  Buffers take_buffers(Arena& workspace, int64_t rows, int64_t outputs) const;
  void run_layer(Stream& stream, const LlamaLayer& layer, const ForwardArgs& args, const KvLayer& kv,
                 const Buffers& b) const;
  const Weight& lm_head() const { return output_ != nullptr ? *output_ : *embedding_; }

  ModelConfig config_;
  const OpTable& ops_;
  WeightTotals totals_;
  WeightPtr embedding_;  // [vocab, model]
  std::vector<LlamaLayer> layers_;
  WeightPtr output_norm_;  // [1, model]
  WeightPtr output_;       // [vocab, model], null where tied to the embedding
};

MatrixView<const float> LlamaModel::forward(Stream& stream, const ForwardArgs& args) const {
  const StepLayout& layout = args.layout;
  const Buffers b =
      take_buffers(args.workspace, layout.num_rows(), static_cast<int64_t>(layout.output_rows.size()));

  ops_.begin_step(stream, layout);
  ops_.embed(stream, {.table = *embedding_, .tokens = layout.tokens, .y = b.x});
  ops_.rope_angles(stream, {.positions = layout.positions,
                            .inverse_frequencies = config_.inverse_frequencies,
                            .angles = b.angles});
  for (size_t i = 0; i < layers_.size(); ++i) run_layer(stream, layers_[i], args, args.kv[i], b);

  if (layout.output_rows.empty()) return b.logits;
  ops_.gather_rows(stream, {.x = b.x, .rows = layout.output_rows, .y = b.last});
  ops_.rms_norm(stream, {.x = b.last, .weight = *output_norm_, .eps = config_.norm_eps, .y = b.last});
  const LinearTarget logits[] = {{&lm_head(), b.logits}};
  ops_.linear(stream, {.x = b.last, .targets = logits, .is_precise = true});
  return b.logits;
}

void LlamaModel::run_layer(Stream& stream, const LlamaLayer& layer, const ForwardArgs& args,
                           const KvLayer& kv, const Buffers& b) const {
  ops_.rms_norm(stream, {.x = b.x, .weight = *layer.attention_norm, .eps = config_.norm_eps, .y = b.normed});
  const LinearTarget qkv[] = {{layer.q.get(), b.q}, {layer.k.get(), b.k}, {layer.v.get(), b.v}};
  ops_.linear(stream, {.x = b.normed, .targets = qkv});
  ops_.rope(stream,
            {.x = b.q, .angles = b.angles, .head_dim = config_.head_dim, .pairing = config_.rope_pairing});
  ops_.rope(stream,
            {.x = b.k, .angles = b.angles, .head_dim = config_.head_dim, .pairing = config_.rope_pairing});
  ops_.kv_write(stream, {.k = b.k, .v = b.v, .layout = args.layout, .kv = kv});
  ops_.attention(stream, {.q = b.q,
                          .layout = args.layout,
                          .kv = kv,
                          .scale = 1.0F / std::sqrt(static_cast<float>(config_.head_dim)),
                          .y = b.attended});
  const LinearTarget attention_out[] = {{layer.attention_out.get(), b.x, /*add_to_y=*/true}};
  ops_.linear(stream, {.x = b.attended, .targets = attention_out});

  ops_.rms_norm(stream, {.x = b.x, .weight = *layer.ffn_norm, .eps = config_.norm_eps, .y = b.normed});
  const LinearTarget gate_up[] = {{layer.gate.get(), b.gate}, {layer.up.get(), b.up}};
  ops_.linear(stream, {.x = b.normed, .targets = gate_up});
  ops_.swiglu(stream, {.gate = b.gate, .up = b.up, .y = b.gate});
  const LinearTarget down[] = {{layer.down.get(), b.x, /*add_to_y=*/true}};
  ops_.linear(stream, {.x = b.gate, .targets = down});
}

LlamaModel::Buffers LlamaModel::take_buffers(Arena& workspace, int64_t rows, int64_t outputs) const {
  workspace.reset();
  return {.x = workspace.matrix<float>(rows, config_.model_dim),
          .normed = workspace.matrix<float>(rows, config_.model_dim),
          .q = workspace.matrix<float>(rows, config_.q_dim()),
          .k = workspace.matrix<float>(rows, config_.kv_dim()),
          .v = workspace.matrix<float>(rows, config_.kv_dim()),
          .attended = workspace.matrix<float>(rows, config_.q_dim()),
          .gate = workspace.matrix<float>(rows, config_.ffn_dim),
          .up = workspace.matrix<float>(rows, config_.ffn_dim),
          .angles = workspace.matrix<float>(rows, config_.rotary_dim()),
          .last = workspace.matrix<float>(outputs, config_.model_dim),
          .logits = workspace.matrix<float>(outputs, config_.vocab_size)};
}

size_t LlamaModel::workspace_bytes(int64_t max_rows, int64_t max_outputs) const {
  const int64_t row_widths[] = {config_.model_dim, config_.model_dim, config_.q_dim(),
                                config_.kv_dim(),  config_.kv_dim(),  config_.q_dim(),
                                config_.ffn_dim,   config_.ffn_dim,   config_.rotary_dim()};
  size_t bytes = Arena::matrix_bytes<float>(max_outputs, config_.model_dim) +
                 Arena::matrix_bytes<float>(max_outputs, config_.vocab_size);
  for (const int64_t width : row_widths) bytes += Arena::matrix_bytes<float>(max_rows, width);
  return bytes;
}

Status LlamaModel::load_weights(WeightLoader& loader, bool has_output) {
  TRY(embedding_, loader.pack(kEmbedding));
  const size_t embedding_bytes = embedding_->size_bytes();
  layers_.resize(static_cast<size_t>(config_.num_layers));
  for (int32_t i = 0; i < config_.num_layers; ++i) {
    for (const LayerTensor& tensor : kLayerTensors) {
      TRY(layers_[static_cast<size_t>(i)].*tensor.place, loader.pack(layer_tensor_name(i, tensor.name)));
    }
  }
  TRY(output_norm_, loader.pack(kOutputNorm));
  if (has_output) {
    TRY(output_, loader.pack(kOutput));
  }
  totals_ = loader.totals();
  // A separate embedding table is looked up, not read.
  totals_.matmul_bytes_per_token =
      static_cast<int64_t>(totals_.packed_bytes - (has_output ? embedding_bytes : 0));
  return {};
}

std::vector<TensorSpec> tensor_specs(const ModelConfig& config, bool has_output, bool has_rope_factors) {
  const Dims dims = {
      .model = config.model_dim, .q = config.q_dim(), .kv = config.kv_dim(), .ffn = config.ffn_dim};
  std::vector<TensorSpec> specs = {{kEmbedding, config.vocab_size, dims.model}, {kOutputNorm, 1, dims.model}};
  for (int32_t i = 0; i < config.num_layers; ++i) {
    for (const LayerTensor& tensor : kLayerTensors) {
      specs.push_back({layer_tensor_name(i, tensor.name), dims.*tensor.rows, dims.*tensor.cols});
    }
  }
  if (has_output) specs.push_back({kOutput, config.vocab_size, dims.model});
  if (has_rope_factors) specs.push_back({kRopeFactors, 1, config.rotary_dim() / 2});
  return specs;
}

Result<int64_t> vocab_rows(const formats::Checkpoint& checkpoint) {
  const formats::TensorInfo* embedding = checkpoint.find(kEmbedding);
  if (embedding == nullptr || embedding->shape.size() != 2 || embedding->shape[0] < 1) {
    return Error{
        ErrorCode::kModelInvalid,
        std::string("tensor '") + kEmbedding + "' is missing or is not a matrix of one row for each token",
        "the file is incomplete: get it again"};
  }
  return embedding->shape[0];
}

}  // namespace

Result<std::unique_ptr<const Model>> load_llama(const formats::Checkpoint& checkpoint, Backend& backend) {
  TRY_STATUS(require_ops(backend));
  TRY(const int64_t vocab, vocab_rows(checkpoint));
  TRY(ModelConfig config, read_llama_config(checkpoint.metadata(), vocab));
  TRY_STATUS(require_head_dim(backend, config.head_dim));
  const bool has_output = checkpoint.find(kOutput) != nullptr;
  const bool has_rope_factors = checkpoint.find(kRopeFactors) != nullptr;
  TRY(WeightLoader loader,
      WeightLoader::create(checkpoint, backend, tensor_specs(config, has_output, has_rope_factors)));
  if (has_rope_factors) {
    TRY(const std::vector<float> factors, loader.floats(kRopeFactors));
    TRY_STATUS(apply_rope_factors(config, factors));
  }
  auto model = std::make_unique<LlamaModel>(std::move(config), backend);
  TRY_STATUS(model->load_weights(loader, has_output));
  TRY_STATUS(checkpoint.verify_unchanged());
  return std::unique_ptr<const Model>(std::move(model));
}

}  // namespace llama_gpu::models
