// SPDX-License-Identifier: Apache-2.0
#include "support/tiny_model.h"

#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <span>

#include "base/check.h"
#include "support/tiny_vocabulary.h"
#include "tensor/blocks.h"

namespace llama_gpu::test_support {
namespace {

// mt19937's numbers are fixed by the standard, those of its distributions are not.
class Random {
 public:
  explicit Random(uint32_t seed) : generator_(seed) {}
  uint32_t bits() { return static_cast<uint32_t>(generator_()); }
  // In [-1, 1).
  float number() { return static_cast<float>(static_cast<int32_t>(bits() >> 8) - (1 << 23)) * 0x1p-23F; }

 private:
  std::mt19937 generator_;
};

template <typename T>
void put(std::span<char> block, size_t offset, T value) {
  std::memcpy(block.data() + offset, &value, sizeof(value));
}

// One block of random quants; its scales make values of about the size `spread`.
void fill_block(std::span<char> block, DType dtype, float spread, Random& random) {
  for (char& byte : block) byte = static_cast<char>(random.bits() >> 24);
  switch (dtype) {
    case DType::kF32:
      return put(block, 0, spread * random.number());
    case DType::kF16:
      return put(block, 0, float_to_half(spread * random.number()));
    case DType::kBF16:
      return put(block, 0, float_to_bfloat16(spread * random.number()));
    case DType::kQ4_0:
      return put(block, offsetof(BlockQ4_0, d), float_to_half(spread / 8));
    case DType::kQ4_1:
      put(block, offsetof(BlockQ4_1, d), float_to_half(spread / 7.5F));
      return put(block, offsetof(BlockQ4_1, m), float_to_half(-spread));
    case DType::kQ8_0:
      return put(block, offsetof(BlockQ8_0, d), float_to_half(spread / 128));
    case DType::kQ4_K:  // scale and minimum are up to 63, a quant up to 15
      put(block, offsetof(BlockQ4_K, d), float_to_half(spread / (32 * 7.5F)));
      return put(block, offsetof(BlockQ4_K, dmin), float_to_half(spread / 32));
    case DType::kQ6_K:
      return put(block, offsetof(BlockQ6_K, d), float_to_half(spread / (64 * 32)));
  }
}

// Values of zero mean and about the size that keeps a product of `fan_in` terms near one.
std::string random_matrix(DType dtype, int64_t rows, int64_t cols, Random& random) {
  std::string bytes(static_cast<size_t>(rows * row_bytes(dtype, cols)), '\0');
  const float spread = 2.0F / std::sqrt(static_cast<float>(cols));
  const auto block_bytes = static_cast<size_t>(dtype_info(dtype).block_bytes);
  for (size_t at = 0; at < bytes.size(); at += block_bytes) {
    fill_block(std::span(bytes).subspan(at, block_bytes), dtype, spread, random);
  }
  return bytes;
}

// Writes tensors named as GGUF's llama architecture names them.
class TensorSource {
 public:
  TensorSource(formats::GgufWriter& writer, const TinyModelOptions& options)
      : writer_(writer), dtype_(options.dtype), random_(options.seed) {}

  void add_matrix(const std::string& name, int64_t rows, int64_t cols) {
    const std::array<int64_t, 2> shape = {rows, cols};
    writer_.add_tensor(name, dtype_, shape, random_matrix(dtype_, rows, cols, random_));
  }

  void add_norm(const std::string& name, int64_t cols) {
    std::string bytes(static_cast<size_t>(cols) * sizeof(float), '\0');
    for (size_t i = 0; i < static_cast<size_t>(cols); ++i) {
      put(std::span(bytes), i * sizeof(float), 1.0F + 0.1F * random_.number());
    }
    writer_.add_tensor(name, DType::kF32, std::span(&cols, 1), bytes);
  }

 private:
  formats::GgufWriter& writer_;
  DType dtype_;
  Random random_;
};

void add_hyper_parameters(formats::GgufWriter& writer, const TinyModelOptions& options) {
  writer.add_string("general.architecture", "llama");
  writer.add_string("general.name", "tiny");
  writer.add_u32("llama.block_count", static_cast<uint32_t>(options.num_layers));
  writer.add_u32("llama.context_length", static_cast<uint32_t>(options.context_tokens));
  writer.add_u32("llama.embedding_length", static_cast<uint32_t>(options.model_dim));
  writer.add_u32("llama.feed_forward_length", static_cast<uint32_t>(options.ffn_dim));
  writer.add_u32("llama.attention.head_count", static_cast<uint32_t>(options.num_heads));
  writer.add_u32("llama.attention.head_count_kv", static_cast<uint32_t>(options.num_kv_heads));
  writer.add_u32("llama.rope.dimension_count", static_cast<uint32_t>(options.model_dim / options.num_heads));
  writer.add_f32("llama.rope.freq_base", 10000.0F);
  writer.add_f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  writer.add_u32("llama.vocab_size", static_cast<uint32_t>(options.vocab_size));
}

}  // namespace

formats::GgufWriter tiny_llama(const TinyModelOptions& options) {
  CHECK(options.num_heads > 0 && options.model_dim % options.num_heads == 0,
        "heads must divide the model's width");
  formats::GgufWriter writer;
  add_hyper_parameters(writer, options);
  add_tiny_tokenizer(writer, options.tokenizer, options.vocab_size);

  const int64_t model = options.model_dim;
  const int64_t kv = model / options.num_heads * options.num_kv_heads;
  TensorSource tensors(writer, options);
  tensors.add_matrix("token_embd.weight", options.vocab_size, model);
  for (int32_t layer = 0; layer < options.num_layers; ++layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    tensors.add_norm(prefix + "attn_norm.weight", model);
    tensors.add_matrix(prefix + "attn_q.weight", model, model);
    tensors.add_matrix(prefix + "attn_k.weight", kv, model);
    tensors.add_matrix(prefix + "attn_v.weight", kv, model);
    tensors.add_matrix(prefix + "attn_output.weight", model, model);
    tensors.add_norm(prefix + "ffn_norm.weight", model);
    tensors.add_matrix(prefix + "ffn_gate.weight", options.ffn_dim, model);
    tensors.add_matrix(prefix + "ffn_up.weight", options.ffn_dim, model);
    tensors.add_matrix(prefix + "ffn_down.weight", model, options.ffn_dim);
  }
  tensors.add_norm("output_norm.weight", model);
  if (options.has_output) tensors.add_matrix("output.weight", options.vocab_size, model);
  return writer;
}

Status write_tiny_llama(const std::string& path, const TinyModelOptions& options) {
  return tiny_llama(options).write(path);
}

}  // namespace llama_gpu::test_support
