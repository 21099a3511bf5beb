// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "device/arena.h"
#include "engine/scheduler.h"
#include "models/model.h"
#include "ops/backend.h"

namespace llama_gpu::engine {

// The largest step, and the size of the KV pool.
struct ExecutorOptions {
  int32_t max_rows = 0;  // of one step
  int32_t max_outputs = 0;
  int32_t max_sequences = 0;  // in one step
  int32_t kv_blocks = 0;
  int32_t block_tokens = 16;
};

// Runs step plans of one model on one backend. Owns the KV memory and the workspace, both reserved once; a
// step allocates nothing.
//
// Engine thread only.
class Executor {
 public:
  // Reserves all memory. `model` and `backend` outlive it. kOutOfMemory.
  static Result<std::unique_ptr<Executor>> create(const models::Model& model, Backend& backend,
                                                  const ExecutorOptions& options);

  // Computes one step and returns its logits, [plan.num_outputs, vocab], readable by the host until the next
  // call; rows stand in the order of the plan. `tokens[i]`: all tokens of plan.sequences[i]'s sequence.
  // After an error the executor works on; what the step wrote to the KV blocks is undefined.
  Result<MatrixView<const float>> run(const StepPlan& plan, std::span<const std::span<const TokenId>> tokens);

 private:
  Executor(const models::Model& model, Backend& backend, const ExecutorOptions& options, Buffer workspace);

  StepLayout lay_out(const StepPlan& plan, std::span<const std::span<const TokenId>> tokens);

  const models::Model& model_;
  Backend& backend_;
  ExecutorOptions options_;
  std::unique_ptr<Stream> stream_;
  Arena workspace_;
  std::vector<Buffer> kv_memory_;   // [layers]
  std::vector<KvLayer> kv_layers_;  // [layers]
  // The layout's arrays, at their full size from the start.
  std::vector<TokenId> tokens_;          // [max_rows]
  std::vector<int32_t> positions_;       // [max_rows]
  std::vector<SequenceRows> sequences_;  // [max_sequences]
  std::vector<int32_t> output_rows_;     // [max_outputs]
};

}  // namespace llama_gpu::engine
