// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/http_message.h"
#include "server/response_writer.h"

namespace llama_gpu::server {

struct ServerContext;

// Who may use a route. kUser and kAdmin need an API key where one is configured.
enum class Access : uint8_t { kPublic, kUser, kAdmin };

// Route::max_body of a route whose bodies are bounded by ServerOptions::max_body_bytes.
inline constexpr int64_t kMaxBodyFromSetting = -1;

// A request on its way through a handler.
struct Exchange {
  ServerContext& server;
  HttpRequest request;
  std::string path_argument;  // what {id} stands for, decoded
  std::string request_id;     // safe to log and to send
  std::shared_ptr<ResponseWriter> writer;
};

// Answers, now or later, through exchange.writer. Connection's thread; must not block.
using Handler = void (*)(const Exchange& exchange);

// One declared endpoint: a row of kRoutes (server/routes.gen.h), made from api/openapi.yaml.
struct Route {
  Method method;
  std::string_view pattern;  // may hold one {id}, which takes one byte or more, slashes too
  Access access;
  std::string_view operation_id;
  Handler handler;
  int64_t max_body;    // bytes, or kMaxBodyFromSetting
  int64_t timeout_ms;  // until the answer begins; 0: none
};

}  // namespace llama_gpu::server
