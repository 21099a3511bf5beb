// SPDX-License-Identifier: Apache-2.0
#include "engine/memory_plan.h"

#include <algorithm>
#include <limits>

namespace llama_gpu::engine {
namespace {

constexpr int64_t kDefaultContext = 8192;
constexpr int64_t kDefaultTokensPerSequence = 1024;
// A smaller context is of no use to a chat: better to say that memory is short.
constexpr int64_t kSmallestDefaultContext = 256;

Error too_large(const std::string& what, int64_t value, int64_t largest) {
  return {
      ErrorCode::kInvalidValue,
      what + " is " + std::to_string(value) + " tokens, the model was trained for " + std::to_string(largest),
      "ask for at most " + std::to_string(largest), "context_tokens"};
}

int64_t affordable_tokens(const MemoryRequest& request) {
  if (!request.free_bytes) return std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(*request.free_bytes / 2) / request.kv_bytes_per_token;
}

Error no_memory(const MemoryRequest& request, int64_t tokens) {
  return {ErrorCode::kOutOfMemory,
          "a context of " + std::to_string(tokens) + " tokens needs " +
              std::to_string(tokens * request.kv_bytes_per_token) +
              " bytes for keys and values, half of the " + std::to_string(request.free_bytes.value_or(0)) +
              " free bytes may be used",
          "free memory, or ask for a smaller context"};
}

}  // namespace

Result<MemoryPlan> plan_memory(const MemoryRequest& request) {
  const int64_t block = request.block_tokens;
  if (request.context_tokens > request.train_context_tokens) {
    return too_large("the context", request.context_tokens, request.train_context_tokens);
  }
  int64_t context = request.context_tokens > 0
                        ? request.context_tokens
                        : std::min<int64_t>(request.train_context_tokens, kDefaultContext);
  int64_t kv_tokens = request.kv_tokens;
  if (kv_tokens == 0) {
    kv_tokens = std::max(context, kDefaultTokensPerSequence * request.max_sequences);
    kv_tokens = std::min(kv_tokens, affordable_tokens(request) / block * block);
  }
  if (kv_tokens < context) {
    const bool may_shrink = request.context_tokens == 0;
    if (request.kv_tokens == 0 && (!may_shrink || kv_tokens < std::min(context, kSmallestDefaultContext))) {
      return no_memory(request, may_shrink ? std::min(context, kSmallestDefaultContext) : context);
    }
    if (!may_shrink) {
      return Error{ErrorCode::kInvalidValue,
                   "a KV pool of " + std::to_string(kv_tokens) + " tokens cannot hold a context of " +
                       std::to_string(context),
                   "make the pool larger or the context smaller", "kv_tokens"};
    }
    context = kv_tokens;
  }
  const int64_t blocks = (kv_tokens + block - 1) / block;
  if (blocks > std::numeric_limits<int32_t>::max()) {
    return Error{ErrorCode::kInvalidValue,
                 "a KV pool of " + std::to_string(kv_tokens) + " tokens is too large", "ask for fewer",
                 "kv_tokens"};
  }
  return MemoryPlan{static_cast<int32_t>(context), static_cast<int32_t>(blocks)};
}

}  // namespace llama_gpu::engine
