// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "models/llama.h"

namespace llama_gpu::models {
namespace {

// Above what any published model has, below what could overflow a product of two.
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxDim = 1 << 20;
constexpr int64_t kMaxHeads = 4096;
constexpr int64_t kMaxContext = 1 << 24;
constexpr int64_t kMaxVocab = 1 << 24;

Error invalid(const std::string& key, int64_t value, const std::string& expected) {
  return {ErrorCode::kModelInvalid, "'" + key + "' is " + std::to_string(value) + ", expected " + expected,
          "the file contradicts itself: get it again"};
}

// Rotary positions are divided by this (linear scaling; Chen et al. 2023, arXiv:2306.15595).
Result<double> read_linear_scale(const formats::Metadata& metadata) {
  TRY(const std::string type, metadata.string_or("llama.rope.scaling.type", "none"));
  if (type == "none") return 1.0;
  if (type == "linear") return metadata.number("llama.rope.scaling.factor", 1e-3, 1e6);
  return Error{ErrorCode::kUnsupportedModel,
               "'llama.rope.scaling.type' is '" + type +
                   "', this program knows 'none', 'linear' and the factors of "
                   "rope_freqs.weight",
               "choose a model without this scaling"};
}

Status read_heads(const formats::Metadata& metadata, ModelConfig& config) {
  TRY(const int64_t heads, metadata.integer("llama.attention.head_count", 1, kMaxHeads));
  TRY(const int64_t kv_heads, metadata.integer_or("llama.attention.head_count_kv", 1, kMaxHeads, heads));
  if (heads % kv_heads != 0) {
    return invalid("llama.attention.head_count_kv", kv_heads,
                   "a divisor of the " + std::to_string(heads) + " heads");
  }
  // Without its own key the heads share the model's width.
  const bool has_key_length = metadata.find("llama.attention.key_length") != nullptr;
  if (!has_key_length && config.model_dim % heads != 0) {
    return invalid("llama.attention.head_count", heads,
                   "a divisor of the embedding length " + std::to_string(config.model_dim));
  }
  TRY(const int64_t head_dim,
      metadata.integer_or("llama.attention.key_length", 1, kMaxDim, config.model_dim / heads));
  TRY(const int64_t value_dim, metadata.integer_or("llama.attention.value_length", 1, kMaxDim, head_dim));
  if (value_dim != head_dim) {
    return invalid("llama.attention.value_length", value_dim, "the key length " + std::to_string(head_dim));
  }
  if (heads * head_dim > kMaxDim) {
    return invalid(
        "llama.attention.key_length", head_dim,
        "at most " + std::to_string(kMaxDim / heads) + " with " + std::to_string(heads) + " heads");
  }
  config.num_heads = static_cast<int32_t>(heads);
  config.num_kv_heads = static_cast<int32_t>(kv_heads);
  config.head_dim = static_cast<int32_t>(head_dim);
  return {};
}

Status read_rope(const formats::Metadata& metadata, ModelConfig& config) {
  TRY(const int64_t rotary_dim,
      metadata.integer_or("llama.rope.dimension_count", 2, config.head_dim, config.head_dim));
  if (rotary_dim % 2 != 0) return invalid("llama.rope.dimension_count", rotary_dim, "an even number");
  TRY(const double base, metadata.number_or("llama.rope.freq_base", 1.0, 1e12, 10000.0));
  TRY(const double scale, read_linear_scale(metadata));
  for (int64_t i = 0; i < rotary_dim; i += 2) {
    const double exponent = -static_cast<double>(i) / static_cast<double>(rotary_dim);
    config.inverse_frequencies.push_back(std::pow(base, exponent) / scale);
  }
  return {};
}

// What would change every answer if it were ignored.
Status refuse_experts(const formats::Metadata& metadata) {
  TRY(const int64_t experts, metadata.integer_or("llama.expert_count", 0, kMaxDim, 0));
  if (experts == 0) return {};
  return Error{
      ErrorCode::kUnsupportedModel,
      "'llama.expert_count' is " + std::to_string(experts) + ", mixtures of experts are not supported",
      "choose a dense model"};
}

}  // namespace

Result<ModelConfig> read_llama_config(const formats::Metadata& metadata, int64_t vocab_rows) {
  TRY_STATUS(refuse_experts(metadata));
  ModelConfig config;
  config.architecture = "llama";
  TRY(config.name, metadata.string_or("general.name", ""));
  TRY(const int64_t layers, metadata.integer("llama.block_count", 1, kMaxLayers));
  TRY(const int64_t model_dim, metadata.integer("llama.embedding_length", 1, kMaxDim));
  TRY(const int64_t ffn_dim, metadata.integer("llama.feed_forward_length", 1, kMaxDim));
  TRY(const int64_t context, metadata.integer("llama.context_length", 1, kMaxContext));
  TRY(const int64_t vocab, metadata.integer_or("llama.vocab_size", 1, kMaxVocab, vocab_rows));
  if (vocab != vocab_rows || vocab > kMaxVocab) {
    return invalid("llama.vocab_size", vocab,
                   "the " + std::to_string(vocab_rows) + " rows of 'token_embd.weight'");
  }
  // Zero would divide by zero on a row of zeros.
  TRY(const double eps, metadata.number("llama.attention.layer_norm_rms_epsilon", 1e-12, 1.0));
  config.num_layers = static_cast<int32_t>(layers);
  config.model_dim = static_cast<int32_t>(model_dim);
  config.ffn_dim = static_cast<int32_t>(ffn_dim);
  config.train_context_tokens = static_cast<int32_t>(context);
  config.vocab_size = static_cast<int32_t>(vocab);
  config.norm_eps = static_cast<float>(eps);
  TRY_STATUS(read_heads(metadata, config));
  TRY_STATUS(read_rope(metadata, config));
  return config;
}

Status apply_rope_factors(ModelConfig& config, std::span<const float> factors) {
  CHECK(factors.size() == config.inverse_frequencies.size(), "one factor for each frequency");
  for (size_t i = 0; i < factors.size(); ++i) {
    if (!(factors[i] > 0 && factors[i] <= 1e6F)) {
      return Error{
          ErrorCode::kModelInvalid,
          "'rope_freqs.weight' holds " + std::to_string(factors[i]) + ", expected a number in (0, 1e6]",
          "the file is damaged: get it again"};
    }
    config.inverse_frequencies[i] /= static_cast<double>(factors[i]);
  }
  return {};
}

}  // namespace llama_gpu::models
