// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/executor.h"
#include "engine/generator.h"
#include "engine/prompt_encoder.h"
#include "models/model.h"
#include "ops/backend.h"

namespace llama_gpu::engine {

// Everything that answers, in the order in which it is built and against which it is destroyed.
struct LoadedEngine {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<const models::Model> model;
  std::unique_ptr<const PromptEncoder> encoder;
  std::unique_ptr<Executor> executor;
  std::unique_ptr<Generator> generator;
  ModelInfo info;
};

// Loads a model, reserves its memory and proves by one step that it computes. The model file is closed again.
// Errors: kInvalidValue (with param) for an option, and those of the file, its tokenizer and its model.
// `clock` outlives what is loaded.
Result<LoadedEngine> load_engine(const BackendRegistry& backends, const EngineOptions& options,
                                 const Clock& clock = system_clock());

}  // namespace llama_gpu::engine
