// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "server/parse_generation.h"
#include "server/request_fields.gen.h"

namespace llama_gpu::server {
namespace {

// An answer that ignores the wanted format would look like one that obeys it, so anything but text is
// refused.
Status check_response_format(const Json& format) {
  const auto type = format.is_object() ? format.find("type") : format.end();
  if (!format.is_object() || type == format.end() || *type != "text") {
    return Error{ErrorCode::kInvalidValue, "'response_format' asks for something other than text",
                 "leave it out: structured output is not supported", "response_format"};
  }
  return {};
}

}  // namespace

Result<GenerationCall> parse_chat_completion(std::string_view body) {
  TRY(const Json document, read_json(body));
  TRY(const Fields fields, Fields::check(document, kCreateChatCompletionFields));
  GenerationCall call;
  engine::GenerationRequest request;
  TRY_STATUS(parse_common(fields, call, request));
  TRY(std::vector<text::ChatMessage> messages, parse_messages(*fields.find("messages")));
  request.prompt = engine::ChatPrompt{.messages = std::move(messages)};

  const auto top_logprobs = fields.integer("top_logprobs");
  if (fields.boolean("logprobs", false)) {
    request.top_logprobs = static_cast<int32_t>(top_logprobs.value_or(0));
  } else if (top_logprobs) {
    return invalid_value("top_logprobs", *fields.find("top_logprobs"), "nothing, as 'logprobs' is not true");
  }
  if (const Json* format = fields.find("response_format")) TRY_STATUS(check_response_format(*format));
  call.requests.push_back(std::move(request));
  return call;
}

}  // namespace llama_gpu::server
