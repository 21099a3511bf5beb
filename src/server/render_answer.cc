// SPDX-License-Identifier: Apache-2.0
#include "server/render_answer.h"

#include "server/json_writer.h"

namespace llama_gpu::server {

std::string render_head(const AnswerHead& head, std::string_view object) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("id").string(head.id);
  json.key("object").string(object);
  json.key("created").integer(head.created_unix_seconds);
  json.key("model").string(head.model);
  return out;
}

std::string render_usage(const Usage& usage) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("prompt_tokens").integer(usage.prompt_tokens);
  json.key("completion_tokens").integer(usage.completion_tokens);
  json.key("total_tokens").integer(usage.prompt_tokens + usage.completion_tokens);
  json.key("prompt_tokens_details")
      .begin_object()
      .key("cached_tokens")
      .integer(usage.cached_tokens)
      .end_object();
  json.end_object();
  return out;
}

std::string_view render_finish_reason(const std::optional<engine::FinishReason>& finish) {
  if (!finish) return "null";
  return *finish == engine::FinishReason::kLength ? "\"length\"" : "\"stop\"";
}

}  // namespace llama_gpu::server
