// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/generation.h"
#include "ops/backend.h"

namespace llama_gpu::engine {

// What a model is loaded with; Engine::load checks every value.
struct EngineOptions {
  std::string model_path;
  std::string backend = "cpu";
  int32_t num_threads = 0;          // 0: one for each core this process may use
  int32_t context_tokens = 0;       // longest sequence; 0: the model's own, up to kv_tokens
  int32_t max_sequences = 32;       // run at once, KV permitting
  int64_t kv_tokens = 0;            // size of the KV pool in tokens; 0: chosen from memory and context
  int32_t step_tokens = 256;        // most rows of one step: the chunk size of prefill
  int32_t step_milliseconds = 100;  // that a step with a prompt should take: chunks shrink to it; 0: any
  int32_t max_requests = 4096;  // unfinished at once; more would only turn an error now into a timeout later
  std::string isa;              // see BackendOptions::isa
};

// What a loaded model is, for lists and `show`.
struct ModelInfo {
  std::string path;
  std::string architecture;
  std::string name;  // general.name, may be empty
  uint64_t file_size_bytes = 0;
  uint64_t weight_bytes = 0;  // as packed
  int64_t num_parameters = 0;
  int64_t matmul_bytes_per_token = 0;  // weights that a decode step reads, lm_head included
  int32_t vocab_size = 0;
  int32_t context_tokens = 0;  // longest sequence served
  int32_t train_context_tokens = 0;
  int64_t kv_bytes_per_token = 0;
  bool has_chat_template = false;
  std::string backend;  // description, such as "cpu avx512, 2 threads"
};

// A moment's figures.
struct EngineStats {
  int32_t running = 0;
  int32_t waiting = 0;
  int64_t kv_blocks_total = 0;
  int64_t kv_blocks_used = 0;
  uint64_t steps = 0;
  uint64_t prompt_tokens = 0;  // computed in prefill
  uint64_t generated_tokens = 0;
  uint64_t preemptions = 0;
};

// One loaded model that generates: tokenizer, template, weights, KV pool and the thread that steps them.
//
// Thread-safe. Destroying it cancels what runs and joins the thread.
class Engine {
 public:
  // Loads the model; blocks until it can answer. `listener` outlives the engine.
  static Result<std::unique_ptr<Engine>> load(const BackendRegistry& backends, const EngineOptions& options,
                                              GenerationListener& listener);
  virtual ~Engine() = default;

  // Checks, renders, tokenises and queues on the caller's thread. The engine thread may give out first
  // updates while this returns. Errors: kInvalidValue (with param), kContextLengthExceeded (both numbers),
  // kTemplateError, kOverloaded.
  virtual Result<SubmitReceipt> submit(GenerationRequest request) = 0;

  // Ends every choice within one step; the listener hears kCancelled. Unknown ids are ignored.
  virtual void cancel(RequestId id) = 0;

  virtual ModelInfo info() const = 0;
  virtual EngineStats stats() const = 0;

  // Tokens of a text, which may be empty.
  virtual Result<std::vector<TokenId>> tokenize(const TextPrompt& prompt) const = 0;
  // Their text, invalid UTF-8 replaced. kInvalidValue, param "tokens", for an id outside of the vocabulary.
  virtual Result<std::string> detokenize(std::span<const TokenId> tokens) const = 0;
  // The conversation as the model would read it. kTemplateError, also where the model has no template.
  virtual Result<std::string> apply_template(const ChatPrompt& prompt) const = 0;
  // The bytes of one token. REQUIRES: 0 <= token < vocab_size.
  virtual std::string_view token_bytes(TokenId token) const = 0;
};

}  // namespace llama_gpu::engine
