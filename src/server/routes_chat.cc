// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "server/api_error.h"
#include "server/generation_exchange.h"
#include "server/parse_generation.h"
#include "server/routes.gen.h"

namespace llama_gpu::server::handlers {

void create_chat_completion(const Exchange& exchange) {
  auto call = parse_chat_completion(exchange.request.body);
  if (!call.ok()) return exchange.writer->send(error_response(call.error()));
  GenerationExchange::start(exchange, *std::move(call), {"chatcmpl-", make_chat_renderer});
}

}  // namespace llama_gpu::server::handlers
