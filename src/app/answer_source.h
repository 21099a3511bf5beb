// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/generation.h"
#include "text/chat_template.h"

namespace llama_gpu::app {

// How an answer is made; what is not set is the model's or the server's default.
struct AnswerOptions {
  std::optional<int64_t> max_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<int64_t> seed;
};

// How an answer ended.
struct AnswerEnd {
  engine::FinishReason reason = engine::FinishReason::kStop;
  std::string text;  // all of it
};

// Something that answers a conversation: an engine in this process, or a server. One thread.
class AnswerSource {
 public:
  virtual ~AnswerSource() = default;

  // False for a base model: it continues texts, see complete(), and answers no conversation.
  virtual bool has_chat_template() const = 0;

  // Hands the answer on piece by piece, each valid UTF-8. Ends with FinishReason::kCancelled within a second
  // once `cancelled` is set.
  virtual Result<AnswerEnd> answer(const std::vector<text::ChatMessage>& conversation,
                                   const AnswerOptions& options,
                                   const std::function<void(std::string_view)>& on_text,
                                   const std::atomic<bool>& cancelled) = 0;
  // The same for a text that the model continues as it is.
  virtual Result<AnswerEnd> complete(const std::string& text, const AnswerOptions& options,
                                     const std::function<void(std::string_view)>& on_text,
                                     const std::atomic<bool>& cancelled) = 0;
};

}  // namespace llama_gpu::app
