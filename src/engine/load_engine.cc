// SPDX-License-Identifier: Apache-2.0
#include "engine/load_engine.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "engine/logits.h"
#include "engine/memory_plan.h"
#include "formats/checkpoint.h"

namespace llama_gpu::engine {
namespace {

constexpr int32_t kBlockTokens = 16;
// Rows of a step that score prompts, beside those that sample: bounds the memory for logits.
constexpr int32_t kScoredRows = 32;
constexpr int32_t kMaxSequences = 1024;
constexpr int32_t kMaxStepTokens = 8192;
constexpr int32_t kMaxStepMilliseconds = 60'000;
constexpr int32_t kMaxThreads = 1024;
constexpr int32_t kMaxRequests = 1'000'000;

struct OptionRange {
  const char* name;
  int64_t value;
  int64_t min;
  int64_t max;
};

Status check_options(const EngineOptions& options) {
  const OptionRange ranges[] = {
      {"num_threads", options.num_threads, 0, kMaxThreads},
      {"context_tokens", options.context_tokens, 0, int64_t{1} << 30},
      {"max_sequences", options.max_sequences, 1, kMaxSequences},
      {"kv_tokens", options.kv_tokens, 0, int64_t{1} << 40},
      {"step_tokens", options.step_tokens, 1, kMaxStepTokens},
      {"max_requests", options.max_requests, 1, kMaxRequests},
      {"step_milliseconds", options.step_milliseconds, 0, kMaxStepMilliseconds},
  };
  for (const OptionRange& range : ranges) {
    if (range.value >= range.min && range.value <= range.max) continue;
    return Error{ErrorCode::kInvalidValue,
                 "'" + std::string(range.name) + "' is " + std::to_string(range.value) + ", expected " +
                     std::to_string(range.min) + " to " + std::to_string(range.max),
                 "choose a value in this range", range.name};
  }
  return {};
}

Status check_vocabulary(const models::Model& model, const text::Tokenizer& tokenizer) {
  if (model.config().vocab_size == tokenizer.vocab_size()) return {};
  return Error{ErrorCode::kModelInvalid,
               "'token_embd.weight' has " + std::to_string(model.config().vocab_size) +
                   " rows, the tokenizer " + std::to_string(tokenizer.vocab_size()) + " tokens",
               "the file contradicts itself: get it again"};
}

int64_t kv_bytes_per_token(const models::Model& model, const Backend& backend) {
  const models::ModelConfig& config = model.config();
  return backend.kv_block_bytes({config.num_kv_heads, config.head_dim, kBlockTokens}) * config.num_layers /
         kBlockTokens;
}

// Computes one token, so that a model that cannot answer is refused now and not by its first request.
Status warm_up(Executor& executor) {
  const BlockId block = 0;
  const TokenId token = 0;
  const std::span<const TokenId> tokens[] = {std::span(&token, 1)};
  StepPlan plan;
  plan.sequences.push_back({.num_rows = 1, .num_outputs = 1, .block_table = std::span(&block, 1)});
  plan.num_rows = plan.num_outputs = 1;
  TRY(const MatrixView<const float> logits, executor.run(plan, tokens));
  if (all_finite(logits.row(0))) return {};
  return Error{ErrorCode::kModelInvalid, "the model produces numbers that are not finite",
               "the file is damaged: get it again"};
}

// Who reads the contents of a file does not know its name: errors about them get it here.
Error named(Error error, std::string_view path) {
  const bool is_about_contents =
      error.code == ErrorCode::kModelInvalid || error.code == ErrorCode::kModelTruncated ||
      error.code == ErrorCode::kUnsupportedModel || error.code == ErrorCode::kTokenizerInvalid;
  return is_about_contents ? formats::in_model_file(std::move(error), path) : error;
}

// Tokenizer, template and weights of the open file.
Status load_contents(const formats::Checkpoint& checkpoint, LoadedEngine& loaded) {
  TRY(loaded.encoder, PromptEncoder::create(checkpoint.metadata()));
  TRY(loaded.model, models::load_model(checkpoint, *loaded.backend));
  return check_vocabulary(*loaded.model, loaded.encoder->tokenizer());
}

ModelInfo info_of(const LoadedEngine& loaded, const formats::Checkpoint& checkpoint) {
  const models::ModelConfig& config = loaded.model->config();
  const models::WeightTotals& weights = loaded.model->weight_totals();
  return {.path = checkpoint.path(),
          .architecture = config.architecture,
          .name = config.name,
          .file_size_bytes = checkpoint.size_bytes(),
          .weight_bytes = weights.packed_bytes,
          .num_parameters = weights.num_parameters,
          .matmul_bytes_per_token = weights.matmul_bytes_per_token,
          .vocab_size = config.vocab_size,
          .train_context_tokens = config.train_context_tokens,
          .kv_bytes_per_token = kv_bytes_per_token(*loaded.model, *loaded.backend),
          .has_chat_template = loaded.encoder->has_chat_template(),
          .backend = loaded.backend->description()};
}

}  // namespace

Result<LoadedEngine> load_engine(const BackendRegistry& backends, const EngineOptions& options,
                                 const Clock& clock) {
  TRY_STATUS(check_options(options));
  SchedulerOptions scheduling = {.block_tokens = kBlockTokens,
                                 .max_sequences = options.max_sequences,
                                 .step_tokens = options.step_tokens,
                                 .step_time = std::chrono::milliseconds(options.step_milliseconds),
                                 .max_outputs = options.max_sequences + kScoredRows};
  LoadedEngine loaded;
  TRY(const std::unique_ptr<formats::Checkpoint> checkpoint, formats::open_checkpoint(options.model_path));
  for (const std::string& warning : checkpoint->warnings())
    log_warning("the model file is odd", {{"what", warning}});
  TRY(loaded.backend, backends.open(options.backend, {.num_threads = options.num_threads,
                                                      .max_step_rows = scheduling.max_rows(),
                                                      .isa = options.isa}));
  if (Status contents = load_contents(*checkpoint, loaded); !contents.ok())
    return named(std::move(contents).error(), options.model_path);

  loaded.info = info_of(loaded, *checkpoint);
  TRY(const MemoryPlan memory, plan_memory({.context_tokens = options.context_tokens,
                                            .kv_tokens = options.kv_tokens,
                                            .max_sequences = options.max_sequences,
                                            .train_context_tokens = loaded.info.train_context_tokens,
                                            .kv_bytes_per_token = loaded.info.kv_bytes_per_token,
                                            .block_tokens = kBlockTokens,
                                            .free_bytes = loaded.backend->device().free_bytes()}));
  loaded.info.context_tokens = memory.context_tokens;
  scheduling.kv_blocks = memory.kv_blocks;
  scheduling.max_sequence_tokens = memory.context_tokens;
  TRY(loaded.executor, Executor::create(*loaded.model, *loaded.backend,
                                        {.max_rows = scheduling.max_rows(),
                                         .max_outputs = scheduling.max_outputs,
                                         .max_sequences = scheduling.max_sequences,
                                         .kv_blocks = memory.kv_blocks,
                                         .block_tokens = kBlockTokens}));
  if (Status computed = warm_up(*loaded.executor); !computed.ok())
    return named(std::move(computed).error(), options.model_path);
  loaded.generator =
      std::make_unique<Generator>(loaded.encoder->tokenizer(), *loaded.executor, scheduling, clock);
  return loaded;
}

}  // namespace llama_gpu::engine
