// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/strings.h"
#include "server/api_error.h"
#include "server/json_writer.h"
#include "server/routes.gen.h"
#include "server/server_context.h"
#include "supervisor/worker_names.h"

namespace llama_gpu::server::handlers {
namespace {

void write_exit(JsonWriter& json, const supervisor::WorkerExit& exit) {
  json.begin_object();
  json.key("kind").string(exit_kind_name(exit.kind));
  json.key("signal");
  exit.signal != 0 ? json.integer(exit.signal) : json.null();
  json.key("exit_code");
  exit.signal == 0 ? json.integer(exit.exit_code) : json.null();
  json.key("message").string(repair_utf8(exit.message));
  json.key("log_tail").string(repair_utf8(exit.log_tail));
  json.end_object();
}

void write_stats(JsonWriter& json, const engine::EngineStats& stats) {
  json.begin_object();
  json.key("running").integer(stats.running);
  json.key("waiting").integer(stats.waiting);
  json.key("kv_blocks_total").integer(stats.kv_blocks_total);
  json.key("kv_blocks_used").integer(stats.kv_blocks_used);
  json.key("steps").integer(stats.steps);
  json.key("prompt_tokens").integer(stats.prompt_tokens);
  json.key("generated_tokens").integer(stats.generated_tokens);
  json.key("preemptions").integer(stats.preemptions);
  json.end_object();
}

void write_worker(JsonWriter& json, const supervisor::WorkerStatus& worker) {
  json.begin_object();
  json.key("id").string(repair_utf8(worker.id));
  json.key("model").string(repair_utf8(worker.model));
  json.key("pid");
  worker.pid != 0 ? json.integer(worker.pid) : json.null();
  json.key("state").string(worker_state_name(worker.state));
  json.key("since").integer(worker.since_unix_seconds);
  json.key("restarts").integer(worker.restarts);
  json.key("last_exit");
  worker.last_exit ? write_exit(json, *worker.last_exit) : void(json.null());
  json.key("memory_bytes").integer(worker.memory_bytes);
  json.key("stats");
  write_stats(json, worker.stats);
  json.end_object();
}

}  // namespace

void list_workers(const Exchange& exchange) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("workers").begin_array();
  for (const auto& worker : exchange.server.host.workers()) write_worker(json, worker);
  json.end_array().end_object();
  exchange.writer->send(json_response(std::move(body)));
}

}  // namespace llama_gpu::server::handlers
