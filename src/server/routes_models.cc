// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "base/strings.h"
#include "server/api_error.h"
#include "server/generation_exchange.h"
#include "server/json_writer.h"
#include "server/routes.gen.h"
#include "server/server_context.h"

namespace llama_gpu::server::handlers {
namespace {

void write_meta(JsonWriter& json, const engine::ModelInfo& info) {
  json.begin_object();
  json.key("architecture").string(repair_utf8(info.architecture));
  json.key("name").string(repair_utf8(info.name));
  json.key("num_parameters").integer(info.num_parameters);
  json.key("file_size_bytes").integer(info.file_size_bytes);
  json.key("weight_bytes").integer(info.weight_bytes);
  json.key("vocab_size").integer(info.vocab_size);
  json.key("train_context_tokens").integer(info.train_context_tokens);
  json.key("kv_bytes_per_token").integer(info.kv_bytes_per_token);
  json.key("has_chat_template").boolean(info.has_chat_template);
  json.key("backend").string(repair_utf8(info.backend));
  json.end_object();
}

void write_model(JsonWriter& json, const supervisor::ServedModel& model) {
  json.begin_object();
  json.key("id").string(repair_utf8(model.id));
  json.key("object").string("model");
  json.key("created").integer(model.created_unix_seconds);
  json.key("owned_by").string("llama-gpu");
  json.key("aliases").begin_array();
  for (const std::string& alias : model.aliases) json.string(repair_utf8(alias));
  json.end_array();
  json.key("is_ready").boolean(model.is_ready);
  json.key("context_tokens");
  model.info ? json.integer(model.info->context_tokens) : json.null();
  json.key("meta");
  model.info ? write_meta(json, *model.info) : void(json.null());
  json.end_object();
}

}  // namespace

void list_models(const Exchange& exchange) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("object").string("list").key("data").begin_array();
  for (const auto& model : exchange.server.host.models()) write_model(json, model);
  json.end_array().end_object();
  exchange.writer->send(json_response(std::move(body)));
}

void get_model(const Exchange& exchange) {
  const auto model = find_model(exchange.server.host, exchange.path_argument);
  if (!model.ok()) return exchange.writer->send(error_response(model.error()));
  std::string body;
  JsonWriter json(body);
  write_model(json, *model);
  exchange.writer->send(json_response(std::move(body)));
}

}  // namespace llama_gpu::server::handlers
