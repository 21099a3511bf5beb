// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
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

// How many models can be asked, will be able to be, and cannot be loaded as they are.
struct ModelCounts {
  size_t ready = 0, loading = 0, failed = 0;
};

ModelCounts count_models(const ServerContext& server) {
  const auto workers = server.host.workers();
  ModelCounts counts;
  for (const auto& model : server.host.models()) {
    const bool is_given_up = std::ranges::any_of(workers, [&](const supervisor::WorkerStatus& worker) {
      return worker.model == model.id && worker.state == supervisor::WorkerState::kFailed;
    });
    ++(model.is_ready ? counts.ready : is_given_up ? counts.failed : counts.loading);
  }
  return counts;
}

enum class Condition : uint8_t { kOk, kLoading, kFailed, kPluginInactive, kDraining };

// Of the server, where it is enough that one model can be asked, or where all must be. A model that loads is
// waited for in both cases.
Condition condition(const ServerContext& server, bool are_all_needed) {
  if (server.is_draining) return Condition::kDraining;
  const ModelCounts counts = count_models(server);
  if (counts.loading > 0 || counts.ready + counts.failed == 0) return Condition::kLoading;
  const bool are_enough = are_all_needed ? counts.failed == 0 : counts.ready > 0;
  if (!are_enough) return Condition::kFailed;
  const bool are_plugins_ready = server.plugins == nullptr || server.plugins->is_ready();
  return are_plugins_ready ? Condition::kOk : Condition::kPluginInactive;
}

std::string_view name_of(Condition condition) {
  static constexpr std::array<std::string_view, 5> kNames = {"ok", "loading", "failed", "plugin_inactive",
                                                             "draining"};
  return kNames[static_cast<size_t>(condition)];
}

// What keeps requests from being answered as they should. REQUIRES: not kOk.
Error error_of(Condition condition) {
  if (condition == Condition::kDraining) return {ErrorCode::kShuttingDown, "the server is being stopped"};
  if (condition == Condition::kFailed)
    return {ErrorCode::kWorkerFailed, "a model cannot be loaded", "GET /admin/workers says why"};
  if (condition == Condition::kPluginInactive)
    return {ErrorCode::kPluginFailed, "a required plugin is not active", "GET /admin/plugins says why"};
  return {ErrorCode::kModelLoading, "a model is still being loaded", "try again in a moment"};
}

HttpResponse status_response(Condition condition, std::string body) {
  HttpResponse response = json_response(std::move(body));
  if (condition != Condition::kOk) {
    response.status = 503;
    response.headers.add("Retry-After", "2");
  }
  return response;
}

HttpResponse status_response(Condition condition) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("status").string(name_of(condition)).end_object();
  return status_response(condition, std::move(body));
}

}  // namespace

// As llama-server answers: with the error object where a model cannot be asked; beside it, model by model.
void get_health(const Exchange& exchange) {
  const Condition now = condition(exchange.server, /*are_all_needed=*/true);
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("status").string(name_of(now)).key("models").begin_array();
  for (const auto& model : exchange.server.host.models()) {
    json.begin_object().key("id").string(repair_utf8(model.id));
    json.key("is_ready").boolean(model.is_ready).end_object();
  }
  json.end_array();
  if (now != Condition::kOk) json.key("error").raw(error_object(error_of(now)));
  json.end_object();
  exchange.writer->send(status_response(now, std::move(body)));
}

void get_liveness(const Exchange& exchange) { exchange.writer->send(status_response(Condition::kOk)); }

void get_readiness(const Exchange& exchange) {
  exchange.writer->send(status_response(condition(exchange.server, /*are_all_needed=*/false)));
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
