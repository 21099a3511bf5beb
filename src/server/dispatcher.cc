// SPDX-License-Identifier: Apache-2.0
#include "server/dispatcher.h"

#include <exception>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "server/api_error.h"
#include "server/ids.h"
#include "server/routes.gen.h"
#include "server/server_context.h"
#include "server/static_pages.h"

namespace llama_gpu::server {
namespace {

constexpr std::string_view kArgument = "{id}";

// How a pattern fits a path: what it binds ("" where it has no argument), and how many bytes of it are
// literal.
struct Match {
  std::string argument;
  size_t num_literal = 0;
};

// nullopt where the path is another.
std::optional<Match> match(std::string_view pattern, std::string_view path) {
  const size_t place = pattern.find(kArgument);
  if (place == std::string_view::npos) {
    return pattern == path ? std::optional(Match{"", path.size()}) : std::nullopt;
  }
  const std::string_view prefix = pattern.substr(0, place);
  const std::string_view suffix = pattern.substr(place + kArgument.size());
  const size_t num_literal = prefix.size() + suffix.size();
  if (path.size() <= num_literal || !path.starts_with(prefix) || !path.ends_with(suffix)) return std::nullopt;
  auto argument = percent_decoded(path.substr(place, path.size() - num_literal));
  return argument ? std::optional(Match{*std::move(argument), num_literal}) : std::nullopt;
}

// The routes of a path: the one for the method, and which methods there are.
struct Lookup {
  const Route* route = nullptr;
  std::string argument;
  std::string allow;  // "" where no route has the path
};

// Of patterns that fit, those with the longest literal text count; the others might as well not be there.
Lookup look_up(Method method, std::string_view path) {
  if (method == Method::kHead) method = Method::kGet;  // its answer without the body
  Lookup found;
  size_t num_literal = 0;
  for (const Route& route : kRoutes) {
    auto fitting = match(route.pattern, path);
    if (!fitting || fitting->num_literal < num_literal) continue;
    if (fitting->num_literal > num_literal) found = {};
    num_literal = fitting->num_literal;
    if (route.method == method) {
      found.route = &route;
      found.argument = std::move(fitting->argument);
    }
    if (!found.allow.empty()) found.allow += ", ";
    found.allow += std::string(method_name(route.method)) + (route.method == Method::kGet ? ", HEAD" : "");
  }
  return found;
}

HttpResponse method_not_allowed(const HttpRequest& head, const std::string& allow) {
  HttpResponse response = error_response(Error{
      ErrorCode::kMethodNotAllowed,
      "the method " + escape_line(head.method_name, 32) + " is not allowed here", "use one of " + allow});
  response.headers.add("Allow", allow);
  return response;
}

HttpResponse answer_without_route(const ServerContext& server, const HttpRequest& head,
                                  const RequestTarget& target, const std::string& allow) {
  if (!allow.empty()) return method_not_allowed(head, allow);
  if (auto page = static_page(server.assets, target.path, head)) {
    const bool is_read = head.method == Method::kGet || head.method == Method::kHead;
    return is_read ? *std::move(page) : method_not_allowed(head, "GET, HEAD");
  }
  return error_response(Error{ErrorCode::kNotFound,
                              "there is no route '" + escape_line(target.path, 200) + "'",
                              "GET /openapi.json lists the routes"});
}

bool is_json_type(std::string_view value) {
  return equals_ignoring_case(trim_spaces(split_once(value, ';').first), "application/json");
}

// Whether the route takes a body of this type and size.
Status check_body(const HttpRequest& head, const Route& route, uint64_t max_body) {
  const auto encoding = head.headers.find("Content-Encoding");
  if (encoding && !equals_ignoring_case(*encoding, "identity")) {
    return Error{ErrorCode::kUnsupportedMediaType,
                 "the body is encoded as '" + escape_line(*encoding, 40) + "'",
                 "send it without Content-Encoding"};
  }
  if (route.method == Method::kPost) {
    const auto type = head.headers.find("Content-Type");
    if (!type || head.headers.count("Content-Type") > 1 || !is_json_type(*type)) {
      return Error{
          ErrorCode::kUnsupportedMediaType,
          "the Content-Type is " + (type ? "'" + escape_line(*type, 80) + "'" : std::string("missing")),
          "send 'Content-Type: application/json'"};
    }
  }
  if (head.content_length.value_or(0) > max_body || (head.is_chunked && max_body == 0)) {
    return Error{ErrorCode::kRequestTooLarge, "the body is over " + std::to_string(max_body) + " bytes",
                 max_body == 0 ? "send no body" : "send a shorter one, or raise server.max_body_bytes"};
  }
  return {};
}

// Fills in the route, or returns why there is none.
Status find_route(const ServerContext& server, const HttpRequest& head, Admission& admission) {
  TRY(const RequestTarget target, parse_target(head.target));
  TRY_STATUS(server.access.check_host(head, target));
  TRY_STATUS(server.access.check_origin(head));
  Lookup found = look_up(head.method, target.path);
  if (found.route == nullptr) {
    admission.answer = answer_without_route(server, head, target, found.allow);
    return {};
  }
  if (found.route->access == Access::kAdmin) TRY_STATUS(server.access.check_origin_of_admin(head));
  TRY_STATUS(server.access.check_key(head, found.route->access));
  const int64_t max_body =
      found.route->max_body == kMaxBodyFromSetting ? server.options.max_body_bytes : found.route->max_body;
  TRY_STATUS(check_body(head, *found.route, static_cast<uint64_t>(max_body)));
  admission.route = found.route;
  admission.argument = std::move(found.argument);
  admission.max_body = static_cast<uint64_t>(max_body);
  return {};
}

}  // namespace

Admission admit(const ServerContext& server, const HttpRequest& head) {
  Admission admission;
  const auto id = head.headers.find("x-request-id");
  admission.request_id = id && is_safe_request_id(*id) ? std::string(*id) : random_id("req_");
  admission.common.add("x-request-id", admission.request_id);
  admission.common.add("X-Content-Type-Options", "nosniff");
  admission.common.add("Cross-Origin-Resource-Policy", "same-origin");
  if (Status status = find_route(server, head, admission); !status.ok()) {
    admission.answer = error_response(status.error());
    admission.is_last = status.error().code == ErrorCode::kInvalidRequest;  // not HTTP as it should be
  }
  return admission;
}

void dispatch(ServerContext& server, const Admission& admission, HttpRequest request,
              std::shared_ptr<ResponseWriter> writer) {
  const Exchange exchange{.server = server,
                          .request = std::move(request),
                          .path_argument = admission.argument,
                          .request_id = admission.request_id,
                          .writer = std::move(writer)};
  try {
    admission.route->handler(exchange);
  } catch (const std::exception& failure) {
    log_error("a handler failed", {{"operation", admission.route->operation_id},
                                   {"request_id", admission.request_id},
                                   {"what", failure.what()}});
    exchange.writer->send(error_response(Error{ErrorCode::kInternal, "the server failed on this request",
                                               "see the server's log at request " + admission.request_id}));
  }
}

std::string_view method_name(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kHead:
      return "HEAD";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kDelete:
      return "DELETE";
    case Method::kPatch:
      return "PATCH";
    case Method::kOptions:
      return "OPTIONS";
    case Method::kOther:
      break;
  }
  return "OTHER";
}

}  // namespace llama_gpu::server
