// SPDX-License-Identifier: Apache-2.0
#include "engine/executor.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/failpoint.h"

namespace llama_gpu::engine {

Result<std::unique_ptr<Executor>> Executor::create(const models::Model& model, Backend& backend,
                                                   const ExecutorOptions& options) {
  Device& device = backend.device();
  TRY(Buffer workspace, device.allocate(model.workspace_bytes(options.max_rows, options.max_outputs)));
  std::unique_ptr<Executor> executor(new Executor(model, backend, options, std::move(workspace)));

  const KvGeometry geometry = {model.config().num_kv_heads, model.config().head_dim, options.block_tokens};
  const int64_t block_bytes = backend.kv_block_bytes(geometry);
  for (int32_t layer = 0; layer < model.config().num_layers; ++layer) {
    TRY(Buffer memory, device.allocate(static_cast<size_t>(block_bytes * options.kv_blocks)));
    executor->kv_layers_.push_back({memory.data(), block_bytes, geometry});
    executor->kv_memory_.push_back(std::move(memory));
  }
  return executor;
}

Executor::Executor(const models::Model& model, Backend& backend, const ExecutorOptions& options,
                   Buffer workspace)
    : model_(model),
      backend_(backend),
      options_(options),
      stream_(backend.device().create_stream()),
      workspace_(std::move(workspace)),
      tokens_(static_cast<size_t>(options.max_rows)),
      positions_(static_cast<size_t>(options.max_rows)),
      sequences_(static_cast<size_t>(options.max_sequences)),
      output_rows_(static_cast<size_t>(options.max_outputs)) {}

Result<MatrixView<const float>> Executor::run(const StepPlan& plan,
                                              std::span<const std::span<const TokenId>> tokens) {
  const StepLayout layout = lay_out(plan, tokens);
  const auto compute = [&]() -> Result<MatrixView<const float>> {
    TRY_STATUS(failpoint("engine.step"));
    const auto logits =
        model_.forward(*stream_, {.layout = layout, .kv = kv_layers_, .workspace = workspace_});
    return stream_->host_view(logits);
  };
  auto logits = compute();
  // A stream keeps its first error: the next step gets a new one.
  if (!logits.ok()) stream_ = backend_.device().create_stream();
  return logits;
}

StepLayout Executor::lay_out(const StepPlan& plan, std::span<const std::span<const TokenId>> tokens) {
  CHECK(plan.num_rows <= options_.max_rows && plan.num_outputs <= options_.max_outputs &&
            plan.sequences.size() <= sequences_.size() && plan.sequences.size() == tokens.size(),
        "a plan is larger than its executor");
  size_t row = 0;
  size_t output = 0;
  for (size_t i = 0; i < plan.sequences.size(); ++i) {
    const PlannedRows& planned = plan.sequences[i];
    sequences_[i] = {static_cast<int32_t>(row), planned.num_rows, planned.first_position,
                     planned.block_table};
    for (int32_t r = 0; r < planned.num_rows; ++r, ++row) {
      const int32_t position = planned.first_position + r;
      tokens_[row] = tokens[i][static_cast<size_t>(position)];
      positions_[row] = position;
      if (r >= planned.num_rows - planned.num_outputs) output_rows_[output++] = static_cast<int32_t>(row);
    }
  }
  return {std::span(tokens_).first(row), std::span(positions_).first(row),
          std::span(sequences_).first(plan.sequences.size()), std::span(output_rows_).first(output)};
}

}  // namespace llama_gpu::engine
