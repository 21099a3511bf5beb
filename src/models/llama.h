// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

#include "models/model.h"

namespace llama_gpu::models {

// Reads and checks the hyperparameters of architecture "llama" (Llama 2 and 3, Mistral, SmolLM and others).
// `vocab_rows`: rows of the embedding table. kModelInvalid naming the key; kUnsupportedModel for experts and
// for a rope scaling that is not known.
Result<ModelConfig> read_llama_config(const formats::Metadata& metadata, int64_t vocab_rows);

// Divides the rotary frequencies by the file's factors (rope_freqs.weight of Llama 3), one for each.
// kModelInvalid for one that is not in (0, 1e6].
Status apply_rope_factors(ModelConfig& config, std::span<const float> factors);

// See load_model().
Result<std::unique_ptr<const Model>> load_llama(const formats::Checkpoint& checkpoint, Backend& backend);

}  // namespace llama_gpu::models
