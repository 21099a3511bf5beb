// SPDX-License-Identifier: Apache-2.0
#include "engine/accept_request.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/limits.gen.h"
#include "base/strings.h"

namespace llama_gpu::engine {
namespace {

std::string show(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return {text, end};
}

Error out_of_range(const std::string& param, const std::string& value, const std::string& range) {
  return {ErrorCode::kInvalidValue, "'" + param + "' is " + value + ", expected " + range,
          "choose a value in this range", param};
}

Status check_number(const char* param, float value, const NumberRange& range) {
  // A NaN is in no range.
  if (range.holds(static_cast<double>(value))) return {};
  return out_of_range(param, show(static_cast<double>(value)),
                      "a number from " + show(range.min) + " to " + show(range.max));
}

Status check_integer(const char* param, int64_t value, const IntegerRange& range) {
  if (range.holds(value)) return {};
  return out_of_range(
      param, std::to_string(value),
      "a whole number from " + std::to_string(range.min) + " to " + std::to_string(range.max));
}

Status check_sampling(const SamplingParams& sampling, int32_t vocab_size) {
  TRY_STATUS(check_number("temperature", sampling.temperature, limits::kTemperature));
  TRY_STATUS(check_number("top_p", sampling.top_p, limits::kTopP));
  TRY_STATUS(check_number("min_p", sampling.min_p, limits::kMinP));
  TRY_STATUS(check_integer("top_k", sampling.top_k, limits::kTopK));
  TRY_STATUS(check_number("repetition_penalty", sampling.repetition_penalty, limits::kRepetitionPenalty));
  TRY_STATUS(check_number("presence_penalty", sampling.presence_penalty, limits::kPresencePenalty));
  TRY_STATUS(check_number("frequency_penalty", sampling.frequency_penalty, limits::kFrequencyPenalty));
  if (!limits::kNumLogitBias.holds(std::ssize(sampling.logit_bias))) {
    return out_of_range("logit_bias", std::to_string(sampling.logit_bias.size()) + " entries",
                        "at most " + std::to_string(limits::kNumLogitBias.max));
  }
  for (const auto& [token, bias] : sampling.logit_bias) {
    if (token < 0 || token >= vocab_size) {
      return out_of_range("logit_bias", "for token " + std::to_string(token),
                          "token ids from 0 to " + std::to_string(vocab_size - 1));
    }
    TRY_STATUS(check_number("logit_bias", bias, limits::kLogitBias));
  }
  return {};
}

Status check_stop(const std::vector<std::string>& stop) {
  if (!limits::kNumStop.holds(std::ssize(stop))) {
    return out_of_range("stop", std::to_string(stop.size()) + " strings",
                        "at most " + std::to_string(limits::kNumStop.max));
  }
  for (const std::string& text : stop) {
    if (!limits::kStopBytes.holds(std::ssize(text))) {
      return out_of_range(
          "stop", "a string of " + std::to_string(text.size()) + " bytes",
          std::to_string(limits::kStopBytes.min) + " to " + std::to_string(limits::kStopBytes.max));
    }
    if (!is_valid_utf8(text)) return out_of_range("stop", "a string with broken UTF-8", "valid UTF-8");
  }
  return {};
}

// The wording is that of OpenAI's own answer: clients recognise an overflow by it.
Error context_exceeded(const GenerationRequest& request, const std::string& prompt_tokens,
                       int64_t context_tokens) {
  const std::string param = std::holds_alternative<ChatPrompt>(request.prompt) ? "messages" : "prompt";
  const bool is_scored_only = request.max_tokens == 0;
  return {ErrorCode::kContextLengthExceeded,
          "This model's maximum context length is " + std::to_string(context_tokens) +
              " tokens. However, your " + param + " resulted in " + prompt_tokens + " tokens.",
          "Please reduce the length of the " + param +
              (is_scored_only ? "." : ": at least one token of the answer must fit, too."),
          param};
}

}  // namespace

Status check_values(const GenerationRequest& request, int32_t vocab_size) {
  TRY_STATUS(check_sampling(request.sampling, vocab_size));
  if (request.max_tokens)
    TRY_STATUS(check_integer("max_tokens", *request.max_tokens, limits::kCompletionMaxTokens));
  TRY_STATUS(check_integer("n", request.num_choices, limits::kN));
  if (request.top_logprobs)
    TRY_STATUS(check_integer("top_logprobs", *request.top_logprobs, limits::kTopLogprobs));
  return check_stop(request.stop);
}

Result<std::shared_ptr<const AcceptedRequest>> accept_request(GenerationRequest request,
                                                              const AcceptContext& context) {
  TRY_STATUS(check_values(request, context.encoder.tokenizer().vocab_size()));
  TRY(EncodedPrompt encoded, context.encoder.encode(request.prompt, context.context_tokens));
  if (encoded.at_least) {
    return context_exceeded(request, "at least " + std::to_string(*encoded.at_least), context.context_tokens);
  }
  std::vector<TokenId> prompt = std::move(encoded.tokens);
  const auto prompt_tokens = static_cast<int64_t>(prompt.size());
  const int64_t asked = request.max_tokens.value_or(std::numeric_limits<int64_t>::max());
  // Scoring a prompt needs no room for an answer.
  if (prompt_tokens > context.context_tokens || (prompt_tokens == context.context_tokens && asked > 0)) {
    return context_exceeded(request, std::to_string(prompt_tokens), context.context_tokens);
  }
  auto accepted = std::make_shared<AcceptedRequest>();
  accepted->id = request.id;
  accepted->received = context.received;
  accepted->prompt = std::move(prompt);
  accepted->seed = request.sampling.seed.value_or(context.drawn_seed);
  accepted->sampling = std::move(request.sampling);
  accepted->max_new_tokens = static_cast<int32_t>(std::min(asked, context.context_tokens - prompt_tokens));
  accepted->num_choices = request.num_choices;
  accepted->stop = std::move(request.stop);
  accepted->ignore_eos = request.ignore_eos;
  accepted->top_logprobs = request.top_logprobs;
  accepted->prompt_logprobs = request.prompt_logprobs;
  return std::shared_ptr<const AcceptedRequest>(std::move(accepted));
}

}  // namespace llama_gpu::engine
