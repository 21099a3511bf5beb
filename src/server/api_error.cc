// SPDX-License-Identifier: Apache-2.0
#include "server/api_error.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/strings.h"
#include "server/json_writer.h"

namespace llama_gpu::server {
namespace {

constexpr std::string_view kRetryAfterSeconds =
    "2";  // a worker is back, or a queue shorter, in about that time

// A hint that is a sentence follows a message that is one; any other goes on with it.
std::string with_hint(std::string_view message, std::string_view hint) {
  if (hint.empty()) return std::string(message);
  const bool is_sentence = hint.front() >= 'A' && hint.front() <= 'Z';
  const bool ends = message.ends_with('.');
  if (ends && is_sentence) return fmt::format("{} {}", message, hint);
  return fmt::format("{}; {}", message.substr(0, message.size() - (ends ? 1 : 0)), hint);
}

}  // namespace

std::string error_object(const Error& error) {
  const ErrorCodeInfo& info = error_code_info(error.code);
  const std::string message = with_hint(error.message, error.hint);
  std::string object;
  JsonWriter json(object);
  json.begin_object();
  json.key("message").string(repair_utf8(message));
  json.key("type").string(info.openai_type);
  json.key("param");
  error.param.empty() ? json.null() : json.string(repair_utf8(error.param));
  json.key("code").string(info.name);
  json.end_object();
  return object;
}

std::string error_body(const Error& error) { return R"({"error":)" + error_object(error) + "}"; }

HttpResponse error_response(const Error& error) {
  const ErrorCodeInfo& info = error_code_info(error.code);
  HttpResponse response = json_response(error_body(error));
  response.status = info.http_status;
  if (info.retry_later) {
    response.headers.add("Retry-After", std::string(kRetryAfterSeconds));
  } else if (info.http_status >= 500) {
    response.headers.add("x-should-retry", "false");  // SDKs would try the same again
  }
  if (info.http_status == 401) response.headers.add("WWW-Authenticate", "Bearer");
  return response;
}

std::string error_events(const Error& error) { return "data: " + error_body(error) + "\n\ndata: [DONE]\n\n"; }

HttpResponse json_response(std::string body) {
  HttpResponse response{.status = 200, .content_type = "application/json", .body = std::move(body)};
  response.headers.add("Cache-Control", "no-store");
  return response;
}

}  // namespace llama_gpu::server
