// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/gguf_writer.h"
#include "tensor/dtype.h"

namespace llama_gpu::test_support {

// Which vocabulary a tiny model has: byte-level BPE with ChatML special tokens and template (256 byte tokens,
// a few merges), or SentencePiece as in Llama 2 (256 byte tokens, letters, a few words).
enum class TinyTokenizer { kByteBpe, kSentencePiece };

// A llama of random weights, small enough for tests of milliseconds. Its text means nothing, its numbers are
// finite, and the same options give the same bytes.
struct TinyModelOptions {
  DType dtype =
      DType::kQ8_0;  // of matrices; norms are F32. Q4_K and Q6_K need dims that are multiples of 256
  int64_t model_dim = 64;
  int64_t ffn_dim = 96;
  int32_t num_layers = 2;
  int32_t num_heads = 4;
  int32_t num_kv_heads = 2;
  int32_t vocab_size = 320;  // at least tiny_vocab_size(); the rest is filled with unused tokens
  int32_t context_tokens = 512;
  uint32_t seed = 1;
  TinyTokenizer tokenizer = TinyTokenizer::kByteBpe;
  bool has_output = true;  // false: logits use the embedding, as in SmolLM
};

// Tokens of the vocabulary that mean something.
int32_t tiny_vocab_size(TinyTokenizer tokenizer);

// The model as a writer, for tests that add to it or break it. REQUIRES: options that make a model.
formats::GgufWriter tiny_llama(const TinyModelOptions& options = {});

// Writes the model to `path`, which is replaced. kIoFailed.
Status write_tiny_llama(const std::string& path, const TinyModelOptions& options = {});

// The chat template of the byte-level BPE model.
std::string_view tiny_chat_template();

}  // namespace llama_gpu::test_support
