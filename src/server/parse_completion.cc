// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/limits.gen.h"
#include "server/parse_generation.h"
#include "server/request_fields.gen.h"

namespace llama_gpu::server {
namespace {

constexpr int64_t kDefaultMaxTokens = 16;  // OpenAI's

Result<engine::Prompt> parse_one_prompt(const Json& prompt, const std::string& param) {
  if (prompt.is_string()) {
    const auto& text = prompt.get_ref<const std::string&>();
    if (text.empty()) return invalid_value(param, prompt, "a text of at least one character");
    return engine::Prompt(engine::TextPrompt{.text = text});
  }
  if (!prompt.is_array()) return invalid_value(param, prompt, "a text or a list of token ids");
  TRY(std::vector<TokenId> ids, parse_token_ids(prompt, param, /*allow_empty=*/false));
  return engine::Prompt(std::move(ids));
}

// A text, token ids, or a list of either.
Result<std::vector<engine::Prompt>> parse_prompts(const Json& value) {
  std::vector<engine::Prompt> prompts;
  const bool is_one = !value.is_array() || (!value.empty() && value.front().is_number());
  if (is_one) {
    TRY(engine::Prompt prompt, parse_one_prompt(value, "prompt"));
    prompts.push_back(std::move(prompt));
    return prompts;
  }
  if (!limits::kNumPrompts.holds(static_cast<int64_t>(value.size()))) {
    return invalid_value("prompt", value,
                         "a list of " + std::to_string(limits::kNumPrompts.min) + " to " +
                             std::to_string(limits::kNumPrompts.max) + " prompts");
  }
  for (const Json& item : value) {
    TRY(engine::Prompt prompt, parse_one_prompt(item, "prompt[" + std::to_string(prompts.size()) + "]"));
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

}  // namespace

Result<GenerationCall> parse_completion(std::string_view body) {
  TRY(const Json document, read_json(body));
  TRY(const Fields fields, Fields::check(document, kCreateCompletionFields));
  GenerationCall call;
  engine::GenerationRequest request;
  TRY_STATUS(parse_common(fields, call, request));
  TRY(std::vector<engine::Prompt> prompts, parse_prompts(*fields.find("prompt")));
  call.echo = fields.boolean("echo", false);
  if (!request.max_tokens) request.max_tokens = kDefaultMaxTokens;
  if (*request.max_tokens == 0 && !call.echo) {
    return Error{ErrorCode::kInvalidValue, "'max_tokens' is 0, expected at least 1",
                 "0 is allowed with 'echo', to score a prompt", "max_tokens"};
  }
  if (const auto logprobs = fields.integer("logprobs")) {
    request.top_logprobs = static_cast<int32_t>(*logprobs);
    request.prompt_logprobs = call.echo;
  }
  const auto num_choices = static_cast<int64_t>(prompts.size()) * request.num_choices;
  if (!limits::kNumChoices.holds(num_choices)) {
    return Error{ErrorCode::kInvalidValue,
                 "the prompts times 'n' are " + std::to_string(num_choices) + " choices, at most " +
                     std::to_string(limits::kNumChoices.max) + " are answered at once",
                 "send fewer prompts in one request", "n"};
  }
  for (engine::Prompt& prompt : prompts) {
    engine::GenerationRequest& one = call.requests.emplace_back(request);
    one.prompt = std::move(prompt);
  }
  return call;
}

}  // namespace llama_gpu::server
