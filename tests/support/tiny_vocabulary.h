// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/gguf_writer.h"
#include "support/tiny_model.h"

namespace llama_gpu::test_support {

// Token lists as GGUF stores them; `kinds` are numbers of tokenizer.ggml.token_type.
struct TinyVocabulary {
  std::vector<std::string> tokens;
  std::vector<int32_t> kinds;
  std::vector<float> scores;        // SentencePiece only
  std::vector<std::string> merges;  // BPE only
};
TinyVocabulary tiny_vocabulary(TinyTokenizer tokenizer);

// Adds the vocabulary, filled up to `vocab_size` with unused tokens, and all other tokenizer entries.
void add_tiny_tokenizer(formats::GgufWriter& writer, TinyTokenizer tokenizer, int32_t vocab_size);

}  // namespace llama_gpu::test_support
