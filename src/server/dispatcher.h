// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/http_message.h"
#include "server/route.h"

namespace llama_gpu::server {

// What is decided about a request when its header section is there, before its body is read.
struct Admission {
  const Route* route = nullptr;  // null: `answer` is there
  std::string argument;          // what {id} stands for
  uint64_t max_body = 0;
  std::optional<HttpResponse> answer;  // a refusal or a page
  bool is_last = false;                // the connection ends with it: what follows it is not trusted
  Headers common;                      // beside the headers of whatever is answered
  std::string request_id;
};

// Decides in this order: Host, Origin, target, route and method, key, body type and size. The request's body
// is empty still; Content-Length is compared with the limit here, chunks while they come.
Admission admit(const ServerContext& server, const HttpRequest& head);

// Calls the route's handler; a handler that throws answers kInternal.
// REQUIRES: admission.route is set; the writer adds admission.common.
void dispatch(ServerContext& server, const Admission& admission, HttpRequest request,
              std::shared_ptr<ResponseWriter> writer);

// "GET" and so on, of those that routes are declared for.
std::string_view method_name(Method method);

}  // namespace llama_gpu::server
