// SPDX-License-Identifier: Apache-2.0
#include "app/remote_answers.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/sse_reader.h"
#include "base/limits.gen.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

using Json = nlohmann::ordered_json;

Json parse_json(std::string_view text) { return Json::parse(text, nullptr, /*allow_exceptions=*/false); }

// A member of an object, or null: the server is not ours to trust.
const Json& member(const Json& json, std::string_view name) {
  static const Json null;
  if (!json.is_object()) return null;
  const auto found = json.find(name);
  return found == json.end() ? null : *found;
}

std::string text_of(const Json& json) { return json.is_string() ? json.get<std::string>() : std::string(); }

const Json& first_of(const Json& json) {
  static const Json null;
  return json.is_array() && !json.empty() ? json.front() : null;
}

// The error object of an answer as an Error of ours, by its code's name where we know it.
Error server_error(const Json& error, int status) {
  const std::string code = text_of(member(error, "code"));
  for (const ErrorCodeInfo& info : kErrorCodes) {
    if (info.name == code)
      return Error{info.code, text_of(member(error, "message")), "", text_of(member(error, "param"))};
  }
  std::string message = text_of(member(error, "message"));
  if (message.empty()) message = fmt::format("the server answered {}", status);
  return Error{status >= 500 ? ErrorCode::kInternal : ErrorCode::kInvalidRequest, message};
}

constexpr std::string_view kJsonOnly = "application/json";
constexpr std::string_view kEventsOrJson = "text/event-stream, application/json";

std::vector<std::string> request_headers(const RemoteServer& server, std::string_view accept) {
  std::vector<std::string> headers = {"Content-Type: application/json", "Accept: " + std::string(accept)};
  if (!server.api_key.empty()) headers.push_back("Authorization: Bearer " + server.api_key);
  return headers;
}

// Whoever listens on the way would have the key.
Result<HttpRequest> make_request(const RemoteServer& server, std::string_view path, std::string_view accept) {
  HttpRequest request{
      .url = server.base_url + std::string(path), .body = {}, .headers = request_headers(server, accept)};
  const bool is_exposed = is_plain_http(request.url) && !is_allowed_url(request.url);
  if (is_exposed && !server.api_key.empty() && !server.allow_plain_key) {
    return Error{ErrorCode::kInvalidValue,
                 "the API key would go unencrypted to '" + escape_line(server.base_url, 300) + "'",
                 "give an https address, or --insecure to send it nevertheless", "url"};
  }
  request.allow_plain_http = true;
  return request;
}

void add_options(Json& body, const AnswerOptions& options) {
  if (options.max_tokens) body["max_tokens"] = *options.max_tokens;
  if (options.temperature) body["temperature"] = *options.temperature;
  if (options.top_p) body["top_p"] = *options.top_p;
  if (options.seed) body["seed"] = *options.seed;
}

std::string chat_body(const std::string& model, const std::vector<text::ChatMessage>& conversation,
                      const AnswerOptions& options) {
  Json body = {{"model", model}, {"stream", true}, {"messages", Json::array()}};
  for (const text::ChatMessage& message : conversation) {
    body["messages"].push_back({{"role", message.role}, {"content", repair_utf8(message.content)}});
  }
  add_options(body, options);
  return body.dump();
}

std::string completion_body(const std::string& model, const std::string& text, const AnswerOptions& options) {
  // The protocol's own default is 16 tokens; in the terminal an answer goes on until it ends, as in a chat.
  Json body = {{"model", model},
               {"stream", true},
               {"prompt", repair_utf8(text)},
               {"max_tokens", limits::kCompletionMaxTokens.max}};
  add_options(body, options);
  return body.dump();
}

RemoteModel remote_model(const Json& json) {
  const Json& meta = member(json, "meta");
  const Json& vocab_size = member(meta, "vocab_size");
  const Json& has_template = member(meta, "has_chat_template");
  RemoteModel model{.id = text_of(member(json, "id"))};
  if (vocab_size.is_number_integer()) model.vocab_size = vocab_size.get<int64_t>();
  if (has_template.is_boolean()) model.has_chat_template = has_template.get<bool>();
  if (const Json& aliases = member(json, "aliases"); aliases.is_array()) {
    for (const Json& alias : aliases) model.aliases.push_back(text_of(alias));
  }
  return model;
}

}  // namespace

RemoteServer remote_server(std::string url, std::string api_key) {
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with("/v1")) url.resize(url.size() - 3);
  if (url.find("://") == std::string::npos) url = "http://" + url;
  return RemoteServer{std::move(url), std::move(api_key)};
}

Result<std::vector<RemoteModel>> remote_models(const HttpClient& http, const RemoteServer& server) {
  TRY(const std::string body, call_server(http, server, "/v1/models"));
  const Json json = parse_json(body);
  std::vector<RemoteModel> models;
  if (const Json& data = member(json, "data"); data.is_array()) {
    for (const Json& model : data) models.push_back(remote_model(model));
  }
  return models;
}

Result<std::string> call_server(const HttpClient& http, const RemoteServer& server, std::string_view path,
                                std::string body) {
  TRY(HttpRequest request, make_request(server, path, kJsonOnly));
  request.body = std::move(body);
  if (!request.body.empty()) request.stall_seconds = 0;  // it answers when it is done
  TRY(HttpResponse response, http.send(request));
  if (response.status == 200) return std::move(response.body);
  return server_error(member(parse_json(response.body), "error"), response.status);
}

Status stream_events(const HttpClient& http, const RemoteServer& server, std::string_view path,
                     std::string body, const std::function<bool(std::string_view data)>& on_data) {
  SseReader reader;
  Status status;
  bool is_stopped = false;
  TRY(HttpRequest request, make_request(server, path, kEventsOrJson));
  request.body = std::move(body);
  // A long prompt on a small machine computes for minutes before its first token.
  request.stall_seconds = 0;
  request.on_body = [&](const HttpResponse&, std::string_view bytes) {
    status = reader.append(bytes, [&](std::string_view data) -> Status {
      if (data == "[DONE]" || is_stopped) return {};
      const Json json = parse_json(data);
      if (const Json& error = member(json, "error"); !error.is_null()) return server_error(error, 500);
      is_stopped = !on_data(data);
      return {};
    });
    return status.ok() && !is_stopped;
  };
  TRY(const HttpResponse response, http.send(request));
  TRY_STATUS(std::move(status));
  if (response.status == 200) return {};
  return server_error(member(parse_json(response.body), "error"), response.status);
}

Result<AnswerEnd> RemoteAnswers::answer(const std::vector<text::ChatMessage>& conversation,
                                        const AnswerOptions& options,
                                        const std::function<void(std::string_view)>& on_text,
                                        const std::atomic<bool>& cancelled) {
  return generate("/v1/chat/completions", chat_body(model_.id, conversation, options), on_text, cancelled);
}

Result<AnswerEnd> RemoteAnswers::complete(const std::string& text, const AnswerOptions& options,
                                          const std::function<void(std::string_view)>& on_text,
                                          const std::atomic<bool>& cancelled) {
  return generate("/v1/completions", completion_body(model_.id, text, options), on_text, cancelled);
}

Result<AnswerEnd> RemoteAnswers::generate(std::string_view path, std::string body,
                                          const std::function<void(std::string_view)>& on_text,
                                          const std::atomic<bool>& cancelled) const {
  AnswerEnd end;
  const HttpClient http(environment_, cancelled);
  const Status status = stream_events(http, server_, path, std::move(body), [&](std::string_view data) {
    const Json json = parse_json(data);
    const Json& choice = first_of(member(json, "choices"));
    // A chat's choice has the first of these, a completion's the second.
    const std::string text =
        text_of(member(member(choice, "delta"), "content")) + text_of(member(choice, "text"));
    if (!text.empty()) on_text(text);
    end.text += text;
    if (text_of(member(choice, "finish_reason")) == "length") end.reason = engine::FinishReason::kLength;
    return true;
  });
  if (!status.ok() && status.error().code == ErrorCode::kCancelled) {
    end.reason = engine::FinishReason::kCancelled;
    return end;
  }
  TRY_STATUS(status);
  return end;
}

}  // namespace llama_gpu::app
