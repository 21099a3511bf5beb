// SPDX-License-Identifier: Apache-2.0
#include "server/parse_generation.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.gen.h"
#include "base/strings.h"

namespace llama_gpu::server {
namespace {

constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "developer"};
constexpr std::array<std::string_view, 8> kOtherModalities = {
    "image", "image_url", "input_image", "audio", "input_audio", "video", "video_url", "file"};

std::string range_text(const IntegerRange& range) {
  return std::to_string(range.min) + " to " + std::to_string(range.max);
}

Result<std::string> parse_stop_string(const Json& value, const std::string& param) {
  if (!value.is_string()) return invalid_value(param, value, "a string");
  const auto& text = value.get_ref<const std::string&>();
  if (!limits::kStopBytes.holds(static_cast<int64_t>(text.size()))) {
    return invalid_value(param, value, "a string of " + range_text(limits::kStopBytes) + " bytes");
  }
  return text;
}

Result<std::vector<std::string>> parse_stop(const Json& value) {
  std::vector<std::string> stop;
  if (value.is_string()) {
    TRY(std::string text, parse_stop_string(value, "stop"));
    stop.push_back(std::move(text));
    return stop;
  }
  if (!value.is_array() || !limits::kNumStop.holds(static_cast<int64_t>(value.size()))) {
    return invalid_value("stop", value, "a string or a list of " + range_text(limits::kNumStop) + " strings");
  }
  for (const Json& item : value) {
    TRY(std::string text, parse_stop_string(item, "stop[" + std::to_string(stop.size()) + "]"));
    stop.push_back(std::move(text));
  }
  return stop;
}

Result<std::vector<std::pair<TokenId, float>>> parse_logit_bias(const Json& value) {
  if (!value.is_object() || !limits::kNumLogitBias.holds(static_cast<int64_t>(value.size()))) {
    return invalid_value("logit_bias", value,
                         "an object of " + range_text(limits::kNumLogitBias) + " token ids and numbers");
  }
  std::vector<std::pair<TokenId, float>> biases;
  for (const auto& [key, bias] : value.items()) {
    const auto token = parse_integer(key);
    if (!token || !limits::kTokenId.holds(*token)) {
      return Error{ErrorCode::kInvalidValue, "a key of 'logit_bias' is not a token id",
                   "write token ids as strings of digits, such as \"198\"", "logit_bias"};
    }
    if (!bias.is_number() || !limits::kLogitBias.holds(bias.get<double>())) {
      return invalid_value("logit_bias", bias, "numbers from -100 to 100");
    }
    biases.emplace_back(static_cast<TokenId>(*token), bias.get<float>());
  }
  return biases;
}

Result<bool> parse_include_usage(const Json& options) {
  if (!options.is_object()) return invalid_value("stream_options", options, "an object");
  const auto found = options.find("include_usage");
  if (found == options.end() || found->is_null()) return false;
  if (!found->is_boolean()) return invalid_value("stream_options.include_usage", *found, "true or false");
  return found->get<bool>();
}

// Text of one part of a message's content.
Result<std::string> parse_part(const Json& part, const std::string& param) {
  if (!part.is_object()) return invalid_value(param, part, "an object with 'type' and 'text'");
  const auto type = part.find("type");
  if (type == part.end() || type->is_null()) return missing_parameter(param + ".type");
  if (!type->is_string()) return invalid_value(param + ".type", *type, "\"text\"");
  if (std::ranges::find(kOtherModalities, type->get_ref<const std::string&>()) != kOtherModalities.end()) {
    return Error{ErrorCode::kUnsupportedModality, "'" + param + "' is not text: this model reads text only",
                 "send parts of type \"text\"", param};
  }
  if (type->get_ref<const std::string&>() != "text") return invalid_value(param + ".type", *type, "\"text\"");
  const auto text = part.find("text");
  if (text == part.end() || text->is_null()) return missing_parameter(param + ".text");
  if (!text->is_string()) return invalid_value(param + ".text", *text, "a string");
  return text->get<std::string>();
}

Result<std::string> parse_content(const Json& content, const std::string& param) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array() || content.empty()) {
    return invalid_value(param, content, "a string or a list of text parts");
  }
  std::string joined;
  for (size_t i = 0; i < content.size(); ++i) {
    TRY(std::string text, parse_part(content[i], param + "[" + std::to_string(i) + "]"));
    if (i > 0) joined += '\n';  // as llama.cpp and vLLM join parts
    joined += text;
  }
  return joined;
}

Result<text::ChatMessage> parse_message(const Json& message, const std::string& param) {
  if (!message.is_object()) return invalid_value(param, message, "an object with 'role' and 'content'");
  const auto role = message.find("role");
  if (role == message.end() || role->is_null()) return missing_parameter(param + ".role");
  if (!role->is_string() || std::ranges::find(kRoles, role->get_ref<const std::string&>()) == kRoles.end()) {
    return invalid_value(param + ".role", *role, "\"system\", \"developer\", \"user\" or \"assistant\"");
  }
  const auto content = message.find("content");
  if (content == message.end() || content->is_null()) return missing_parameter(param + ".content");
  text::ChatMessage parsed;
  parsed.role = *role == "developer" ? "system" : role->get<std::string>();
  TRY(parsed.content, parse_content(*content, param + ".content"));
  return parsed;
}

}  // namespace

Result<std::vector<text::ChatMessage>> parse_messages(const Json& messages) {
  if (!messages.is_array() || !limits::kNumMessages.holds(static_cast<int64_t>(messages.size()))) {
    return invalid_value("messages", messages, "a list of " + range_text(limits::kNumMessages) + " messages");
  }
  std::vector<text::ChatMessage> parsed;
  parsed.reserve(messages.size());
  for (const Json& message : messages) {
    TRY(text::ChatMessage turn, parse_message(message, "messages[" + std::to_string(parsed.size()) + "]"));
    parsed.push_back(std::move(turn));
  }
  return parsed;
}

Result<std::vector<TokenId>> parse_token_ids(const Json& tokens, const std::string& param, bool allow_empty) {
  if (!tokens.is_array() || (tokens.empty() && !allow_empty)) {
    return invalid_value(param, tokens, "a list of token ids");
  }
  std::vector<TokenId> ids;
  ids.reserve(tokens.size());
  for (const Json& token : tokens) {
    const auto id = whole_number(token);
    if (!id || !limits::kTokenId.holds(*id)) return invalid_value(param, token, "token ids from 0");
    ids.push_back(static_cast<TokenId>(*id));
  }
  return ids;
}

Status parse_common(const Fields& fields, GenerationCall& call, engine::GenerationRequest& request) {
  engine::SamplingParams& sampling = request.sampling;
  const auto number = [&](std::string_view name, float otherwise) {
    return static_cast<float>(fields.number(name, otherwise));
  };
  sampling.temperature = number("temperature", sampling.temperature);
  sampling.top_p = number("top_p", sampling.top_p);
  sampling.min_p = number("min_p", sampling.min_p);
  sampling.repetition_penalty = number("repetition_penalty", sampling.repetition_penalty);
  sampling.presence_penalty = number("presence_penalty", sampling.presence_penalty);
  sampling.frequency_penalty = number("frequency_penalty", sampling.frequency_penalty);
  sampling.top_k = static_cast<int32_t>(std::max<int64_t>(0, fields.integer("top_k").value_or(0)));
  if (const auto seed = fields.integer("seed")) sampling.seed = static_cast<uint64_t>(*seed);
  if (const Json* biases = fields.find("logit_bias")) {
    TRY(sampling.logit_bias, parse_logit_bias(*biases));
  }
  if (const Json* stop = fields.find("stop")) {
    TRY(request.stop, parse_stop(*stop));
  }
  request.num_choices = static_cast<int32_t>(fields.integer("n").value_or(1));
  request.ignore_eos = fields.boolean("ignore_eos", false);

  call.model = fields.string("model");
  call.is_stream = fields.boolean("stream", false);
  if (const Json* options = fields.find("stream_options")) {
    if (!call.is_stream) return invalid_value("stream_options", *options, "nothing, as 'stream' is not true");
    TRY(call.include_usage, parse_include_usage(*options));
  }
  const auto max_tokens = fields.integer("max_tokens");
  const auto max_completion_tokens = fields.integer("max_completion_tokens");
  if (max_tokens && max_completion_tokens && *max_tokens != *max_completion_tokens) {
    return Error{ErrorCode::kInvalidValue, "'max_tokens' and 'max_completion_tokens' differ",
                 "send one of them", "max_tokens"};
  }
  request.max_tokens = max_completion_tokens ? max_completion_tokens : max_tokens;
  call.ignored_fields = fields.ignored();
  return {};
}

}  // namespace llama_gpu::server
