// SPDX-License-Identifier: Apache-2.0
#include "supervisor/engine_protocol.h"

#include <array>
#include <utility>

#include "supervisor/wire_binary.h"
#include "supervisor/wire_json.h"

namespace llama_gpu::supervisor {

using namespace engine;

// ---- what crosses: one table for each type

template <>
struct WireNames<ErrorCode> {
  static constexpr auto names = [] {
    std::array<std::string_view, kErrorCodes.size()> names;
    for (size_t i = 0; i < names.size(); ++i) names[i] = kErrorCodes[i].name;
    return names;
  }();
};

template <>
struct WireNames<FinishReason> {
  static constexpr std::array<std::string_view, 4> names = {"stop", "length", "cancelled", "error"};
};

template <>
struct WireFields<Error> {
  static constexpr auto value =
      std::tuple{field("code", &Error::code), field("message", &Error::message), field("hint", &Error::hint),
                 field("param", &Error::param), field("byte_offset", &Error::byte_offset)};
};

template <>
struct WireFields<EngineOptions> {
  static constexpr auto value = std::tuple{field("model_path", &EngineOptions::model_path),
                                           field("backend", &EngineOptions::backend),
                                           field("num_threads", &EngineOptions::num_threads),
                                           field("context_tokens", &EngineOptions::context_tokens),
                                           field("max_sequences", &EngineOptions::max_sequences),
                                           field("kv_tokens", &EngineOptions::kv_tokens),
                                           field("step_tokens", &EngineOptions::step_tokens),
                                           field("max_requests", &EngineOptions::max_requests),
                                           field("step_milliseconds", &EngineOptions::step_milliseconds),
                                           field("isa", &EngineOptions::isa)};
};

template <>
struct WireFields<ModelInfo> {
  static constexpr auto value =
      std::tuple{field("path", &ModelInfo::path),
                 field("architecture", &ModelInfo::architecture),
                 field("name", &ModelInfo::name),
                 field("file_size_bytes", &ModelInfo::file_size_bytes),
                 field("weight_bytes", &ModelInfo::weight_bytes),
                 field("num_parameters", &ModelInfo::num_parameters),
                 field("matmul_bytes_per_token", &ModelInfo::matmul_bytes_per_token),
                 field("vocab_size", &ModelInfo::vocab_size),
                 field("context_tokens", &ModelInfo::context_tokens),
                 field("train_context_tokens", &ModelInfo::train_context_tokens),
                 field("kv_bytes_per_token", &ModelInfo::kv_bytes_per_token),
                 field("has_chat_template", &ModelInfo::has_chat_template),
                 field("backend", &ModelInfo::backend)};
};

template <>
struct WireFields<EngineStats> {
  static constexpr auto value = std::tuple{field("running", &EngineStats::running),
                                           field("waiting", &EngineStats::waiting),
                                           field("kv_blocks_total", &EngineStats::kv_blocks_total),
                                           field("kv_blocks_used", &EngineStats::kv_blocks_used),
                                           field("steps", &EngineStats::steps),
                                           field("prompt_tokens", &EngineStats::prompt_tokens),
                                           field("generated_tokens", &EngineStats::generated_tokens),
                                           field("preemptions", &EngineStats::preemptions)};
};

template <>
struct WireFields<SamplingParams> {
  static constexpr auto value = std::tuple{field("temperature", &SamplingParams::temperature),
                                           field("top_k", &SamplingParams::top_k),
                                           field("top_p", &SamplingParams::top_p),
                                           field("min_p", &SamplingParams::min_p),
                                           field("repetition_penalty", &SamplingParams::repetition_penalty),
                                           field("presence_penalty", &SamplingParams::presence_penalty),
                                           field("frequency_penalty", &SamplingParams::frequency_penalty),
                                           field("seed", &SamplingParams::seed),
                                           field("logit_bias", &SamplingParams::logit_bias)};
};

template <>
struct WireFields<text::ChatMessage> {
  static constexpr auto value =
      std::tuple{field("role", &text::ChatMessage::role), field("content", &text::ChatMessage::content)};
};

template <>
struct WireFields<TextPrompt> {
  static constexpr auto value =
      std::tuple{field("text", &TextPrompt::text), field("add_special", &TextPrompt::add_special),
                 field("parse_special", &TextPrompt::parse_special)};
};

template <>
struct WireFields<ChatPrompt> {
  static constexpr auto value =
      std::tuple{field("messages", &ChatPrompt::messages),
                 field("add_generation_prompt", &ChatPrompt::add_generation_prompt)};
};

template <>
struct WireAlternatives<Prompt> {
  static constexpr std::array<std::string_view, 3> names = {"text", "chat", "tokens"};
};

template <>
struct WireFields<GenerationRequest> {
  static constexpr auto value = std::tuple{field("id", &GenerationRequest::id),
                                           field("trace_id", &GenerationRequest::trace_id),
                                           field("tenant_salt", &GenerationRequest::tenant_salt),
                                           field("prompt", &GenerationRequest::prompt),
                                           field("sampling", &GenerationRequest::sampling),
                                           field("max_tokens", &GenerationRequest::max_tokens),
                                           field("num_choices", &GenerationRequest::num_choices),
                                           field("stop", &GenerationRequest::stop),
                                           field("ignore_eos", &GenerationRequest::ignore_eos),
                                           field("top_logprobs", &GenerationRequest::top_logprobs),
                                           field("prompt_logprobs", &GenerationRequest::prompt_logprobs),
                                           field("wants_prompt_text", &GenerationRequest::wants_prompt_text),
                                           field("received_ns", &GenerationRequest::received_ns)};
};

template <>
struct WireFields<SubmitReceipt> {
  static constexpr auto value =
      std::tuple{field("id", &SubmitReceipt::id), field("prompt_tokens", &SubmitReceipt::prompt_tokens),
                 field("prompt_text", &SubmitReceipt::prompt_text)};
};

template <>
struct WireFields<TokenLogprob> {
  static constexpr auto value =
      std::tuple{field("token", &TokenLogprob::token), field("bytes", &TokenLogprob::bytes),
                 field("logprob", &TokenLogprob::logprob), field("top", &TokenLogprob::top),
                 field("top_bytes", &TokenLogprob::top_bytes)};
};

template <>
struct WireFields<SequenceUpdate> {
  static constexpr auto value =
      std::tuple{field("id", &SequenceUpdate::id),
                 field("choice", &SequenceUpdate::choice),
                 field("text", &SequenceUpdate::text),
                 field("tokens", &SequenceUpdate::tokens),
                 field("logprobs", &SequenceUpdate::logprobs),
                 field("prompt_logprobs", &SequenceUpdate::prompt_logprobs),
                 field("finish", &SequenceUpdate::finish),
                 field("error", &SequenceUpdate::error),
                 field("queue_microseconds", &SequenceUpdate::queue_microseconds),
                 field("num_cached_prompt_tokens", &SequenceUpdate::num_cached_prompt_tokens)};
};

template <>
struct WireFields<HelloCall> {
  static constexpr auto value =
      std::tuple{field("protocol", &HelloCall::protocol), field("program", &HelloCall::program)};
};

template <>
struct WireFields<LoadCall> {
  static constexpr auto value =
      std::tuple{field("model", &LoadCall::model), field("options", &LoadCall::options)};
};

template <>
struct WireFields<SubmitCall> {
  static constexpr auto value =
      std::tuple{field("model", &SubmitCall::model), field("request", &SubmitCall::request)};
};

template <>
struct WireFields<TokenizeCall> {
  static constexpr auto value =
      std::tuple{field("model", &TokenizeCall::model), field("prompt", &TokenizeCall::prompt),
                 field("with_pieces", &TokenizeCall::with_pieces)};
};

template <>
struct WireFields<DetokenizeCall> {
  static constexpr auto value =
      std::tuple{field("model", &DetokenizeCall::model), field("tokens", &DetokenizeCall::tokens)};
};

template <>
struct WireFields<ApplyTemplateCall> {
  static constexpr auto value =
      std::tuple{field("model", &ApplyTemplateCall::model), field("prompt", &ApplyTemplateCall::prompt)};
};

template <>
struct WireFields<CancelNote> {
  static constexpr auto value =
      std::tuple{field("model", &CancelNote::model), field("request", &CancelNote::request)};
};

template <>
struct WireFields<StopNote> {
  static constexpr auto value = std::tuple{field("drain", &StopNote::drain)};
};

template <>
struct WireAlternatives<CallBody> {
  static constexpr std::array<std::string_view, 8> names = {
      "hello", "load", "submit", "tokenize", "detokenize", "apply_template", "cancel", "stop"};
};

template <>
struct WireFields<HelloReply> {
  static constexpr auto value =
      std::tuple{field("protocol", &HelloReply::protocol), field("program", &HelloReply::program),
                 field("pid", &HelloReply::pid)};
};

template <>
struct WireFields<TokenizedText> {
  static constexpr auto value =
      std::tuple{field("tokens", &TokenizedText::tokens), field("pieces", &TokenizedText::pieces)};
};

template <>
struct WireFields<TokensReply> {
  static constexpr auto value = std::tuple{field("text", &TokensReply::text)};
};

template <>
struct WireFields<TextReply> {
  static constexpr auto value = std::tuple{field("text", &TextReply::text)};
};

template <>
struct WireAlternatives<ReplyBody> {
  static constexpr std::array<std::string_view, 5> names = {"hello", "model", "receipt", "tokens", "text"};
};

template <>
struct WireFields<StatsNote> {
  static constexpr auto value =
      std::tuple{field("stats", &StatsNote::stats), field("memory_bytes", &StatsNote::memory_bytes),
                 field("is_draining", &StatsNote::is_draining)};
};

namespace {

// JSON-RPC's range for errors that a server defines; the real code is in `data`.
constexpr int kJsonRpcServerError = -32000;
// Deeper than any message, far below what could exhaust a stack.
constexpr int kMaxJsonDepth = 16;

bool is_note(const CallBody& body) {
  return std::holds_alternative<CancelNote>(body) || std::holds_alternative<StopNote>(body);
}

Result<std::string> dump(const Json& message) {
  try {
    return message.dump();
  } catch (const Json::exception&) {
    return Error{ErrorCode::kInvalidValue, "a text is not UTF-8", "send texts as UTF-8"};
  }
}

Result<Json> parse_object(std::string_view payload) {
  bool too_deep = false;
  const auto watch_depth = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMaxJsonDepth;
    return !too_deep;
  };
  Json json = Json::parse(payload, watch_depth, /*allow_exceptions=*/false);
  if (too_deep) return Error{ErrorCode::kProtocolError, "a control message is nested too deep"};
  if (!json.is_object()) return Error{ErrorCode::kProtocolError, "a control message is not a JSON object"};
  const auto version = json.find("jsonrpc");
  if (version == json.end() || *version != "2.0") return bad_json_field("jsonrpc", "\"2.0\"");
  return json;
}

// A NaN or infinity was written as null; `request` fields that a client sets reach this unchecked.
Status check_finite(const SamplingParams& sampling) {
  bool is_finite = std::isfinite(sampling.temperature) && std::isfinite(sampling.top_p) &&
                   std::isfinite(sampling.min_p) && std::isfinite(sampling.repetition_penalty) &&
                   std::isfinite(sampling.presence_penalty) && std::isfinite(sampling.frequency_penalty);
  for (const auto& [token, bias] : sampling.logit_bias) is_finite = is_finite && std::isfinite(bias);
  if (!is_finite) return Error{ErrorCode::kInvalidValue, "a sampling value is not a finite number"};
  return {};
}

Result<WorkerMessage> parse_reply(const Json& json) {
  Reply reply;
  TRY_STATUS(read_json_member(json, "id", reply.id));
  if (const auto error = json.find("error"); error != json.end()) {
    if (!error->is_object()) return bad_json_field("error", "an object");
    Error carried;
    TRY_STATUS(read_json_member(*error, "data", carried));
    reply.body = std::move(carried);
  } else {
    TRY_STATUS(read_json_member(json, "result", reply.body.value()));
  }
  return WorkerMessage(std::move(reply));
}

}  // namespace

Result<std::string> encode_call(const Call& call) {
  if (const auto* submit = std::get_if<SubmitCall>(&call.body))
    TRY_STATUS(check_finite(submit->request.sampling));
  const Json body = write_json(call.body);
  Json message = {{"jsonrpc", "2.0"}, {"method", body.begin().key()}};
  if (!is_note(call.body)) message["id"] = call.id;
  message["params"] = body.begin().value();
  return dump(message);
}

Result<Call> parse_call(std::string_view payload) {
  TRY(const Json json, parse_object(payload));
  std::string method;
  TRY_STATUS(read_json_member(json, "method", method));
  const auto params = json.find("params");
  if (params == json.end()) return bad_json_field("params", "there");
  Call call;
  TRY_STATUS(read_json(Json{{method, *params}}, "method", call.body));
  if (!is_note(call.body)) TRY_STATUS(read_json_member(json, "id", call.id));
  return call;
}

Result<std::string> encode_worker_message(const WorkerMessage& message) {
  Json json = {{"jsonrpc", "2.0"}};
  if (const auto* note = std::get_if<StatsNote>(&message)) {
    json["method"] = "stats";
    json["params"] = write_json(*note);
    return dump(json);
  }
  const auto& reply = std::get<Reply>(message);
  json["id"] = reply.id;
  if (reply.body.ok()) {
    json["result"] = write_json(reply.body.value());
  } else {
    const Error& error = reply.body.error();
    json["error"] = {{"code", kJsonRpcServerError}, {"message", error.message}, {"data", write_json(error)}};
  }
  return dump(json);
}

Result<WorkerMessage> parse_worker_message(std::string_view payload) {
  TRY(const Json json, parse_object(payload));
  const auto method = json.find("method");
  if (method == json.end()) return parse_reply(json);
  if (*method != "stats") return bad_json_field("method", "\"stats\"");
  StatsNote note;
  TRY_STATUS(read_json_member(json, "params", note));
  return WorkerMessage(note);
}

std::string encode_step(std::span<const SequenceUpdate> updates) {
  std::string bytes;
  write_binary(bytes, static_cast<uint32_t>(updates.size()));
  for (const SequenceUpdate& update : updates) write_binary(bytes, update);
  return bytes;
}

Result<std::vector<SequenceUpdate>> parse_step(std::string_view payload) {
  BoundedReader reader(std::as_bytes(std::span(payload)), ErrorCode::kProtocolError);
  std::vector<SequenceUpdate> updates;
  TRY_STATUS(read_binary(reader, "updates", updates));
  if (reader.remaining() > 0) {
    return Error{ErrorCode::kProtocolError,
                 std::to_string(reader.remaining()) + " bytes follow the last update", "", "",
                 reader.offset()};
  }
  return updates;
}

}  // namespace llama_gpu::supervisor
