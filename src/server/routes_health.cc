// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "server/api_error.h"
#include "server/json_writer.h"
#include "server/openapi_json.gen.h"
#include "server/routes.gen.h"
#include "server/server_context.h"

namespace llama_gpu::server::handlers {
namespace {

bool is_given_up(const supervisor::ServedModel& model, const std::vector<supervisor::WorkerStatus>& workers) {
  return std::ranges::any_of(workers, [&](const supervisor::WorkerStatus& worker) {
    return worker.model == model.id && worker.state == supervisor::WorkerState::kFailed;
  });
}

// "ok", or why requests should not be sent here. A model that was given up keeps nobody from the others.
std::string_view readiness(const ServerContext& server) {
  if (server.is_draining) return "draining";
  auto models = server.host.models();
  if (models.empty()) return "loading";
  const auto workers = server.host.workers();
  std::erase_if(models, [&](const auto& model) { return !model.is_ready && is_given_up(model, workers); });
  if (models.empty()) return "failed";
  return std::ranges::all_of(models, &supervisor::ServedModel::is_ready) ? "ok" : "loading";
}

HttpResponse status_response(std::string_view status, std::string body) {
  HttpResponse response = json_response(std::move(body));
  if (status != "ok") {
    response.status = 503;
    response.headers.add("Retry-After", "2");
  }
  return response;
}

std::string status_body(std::string_view status) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("status").string(status).end_object();
  return body;
}

}  // namespace

void get_health(const Exchange& exchange) {
  const std::string_view status = readiness(exchange.server);
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("status").string(status).key("models").begin_array();
  for (const auto& model : exchange.server.host.models()) {
    json.begin_object().key("id").string(repair_utf8(model.id));
    json.key("is_ready").boolean(model.is_ready).end_object();
  }
  json.end_array().end_object();
  exchange.writer->send(status_response(status, std::move(body)));
}

void get_liveness(const Exchange& exchange) {
  exchange.writer->send(status_response("ok", status_body("ok")));
}

void get_readiness(const Exchange& exchange) {
  const std::string_view status = readiness(exchange.server);
  exchange.writer->send(status_response(status, status_body(status)));
}

void get_version(const Exchange& exchange) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("version").string(exchange.server.options.version).end_object();
  exchange.writer->send(json_response(std::move(body)));
}

void get_metrics(const Exchange& exchange) {
  exchange.writer->send(HttpResponse{.status = 200,
                                     .content_type = std::string(telemetry::kExpositionContentType),
                                     .body = exchange.server.metrics.expose()});
}

void get_openapi(const Exchange& exchange) {
  std::string body;
  for (const std::string_view part : kOpenapiJson) body += part;
  exchange.writer->send(json_response(std::move(body)));
}

}  // namespace llama_gpu::server::handlers
