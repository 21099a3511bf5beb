// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/result.h"
#include "formats/metadata.h"
#include "text/tokenizer.h"

namespace llama_gpu::engine {

// The tokenizer that a model file's metadata declares (tokenizer.ggml.*), with the ids and switches that
// upstream assumes where a SentencePiece file leaves them out. kTokenizerInvalid where a key is missing or of
// another type; whether the parts fit together is checked by Tokenizer::create.
Result<text::TokenizerSpec> tokenizer_spec(const formats::Metadata& metadata);

// The same, made and checked.
Result<std::unique_ptr<const text::Tokenizer>> load_tokenizer(const formats::Metadata& metadata);

}  // namespace llama_gpu::engine
