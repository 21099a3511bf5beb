// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "server/api_error.h"
#include "server/generation_exchange.h"
#include "server/parse_plugin_change.h"
#include "server/parse_target.h"
#include "server/plugin_event_stream.h"
#include "server/render_plugin.h"
#include "server/routes.gen.h"
#include "server/server_context.h"

namespace llama_gpu::server::handlers {
namespace {

using plugins::PluginManager;

// The manager, or nullptr where it was answered that there is none.
PluginManager* plugins_or_answer(const Exchange& exchange) {
  PluginManager* const manager = exchange.server.plugins;
  if (manager == nullptr) {
    exchange.writer->send(error_response(Error{ErrorCode::kNotFound, "plugins are switched off",
                                               "start the server with plugins.enabled = true"}));
  }
  return manager;
}

// An answer that comes from another thread. What the manager does is not taken back where the client leaves:
// a change is whole or has not begun.
class LaterAnswer : public ExchangeListener, public std::enable_shared_from_this<LaterAnswer> {
 public:
  static std::shared_ptr<LaterAnswer> of(const Exchange& exchange, std::string ignored_fields = "") {
    const auto self = std::make_shared<LaterAnswer>(exchange, std::move(ignored_fields));
    exchange.writer->listen(self);
    return self;
  }
  LaterAnswer(const Exchange& exchange, std::string ignored_fields)
      : writer_(exchange.writer), ignored_fields_(std::move(ignored_fields)) {}

  void on_closed() override { has_ended_ = true; }
  void on_abort(const Error& error) override { end(error_response(error)); }

  // Thread-safe.
  void send(Result<std::string> body) {
    writer_->post([weak = weak_from_this(), body = std::move(body)] {
      const auto self = weak.lock();
      if (self) self->end(body.ok() ? json_response(*body) : error_response(body.error()));
    });
  }

 private:
  void end(HttpResponse response) {
    if (std::exchange(has_ended_, true)) return;
    if (!ignored_fields_.empty()) response.headers.add("x-ignored-fields", ignored_fields_);
    writer_->send(std::move(response));
  }

  std::shared_ptr<ResponseWriter> writer_;
  std::string ignored_fields_;
  bool has_ended_ = false;
};

// Answers with one plugin, as `render` shows it.
void send_plugin(const Exchange& exchange, std::string (*render)(const plugins::PluginStatus&)) {
  const PluginManager* const manager = plugins_or_answer(exchange);
  if (manager == nullptr) return;
  const auto status = manager->find(exchange.path_argument);
  exchange.writer->send(status.ok() ? json_response(render(*status)) : error_response(status.error()));
}

// A HEAD request would wait for the end of what has none.
bool wants_stream(const HttpRequest& request) {
  const auto accept = request.headers.find("Accept");
  const bool is_named = accept && to_lower(*accept).find("text/event-stream") != std::string::npos;
  return is_named && request.method == Method::kGet;
}

// On the task thread.
void carry_out(PluginManager& manager, PluginChangeCall call, const std::shared_ptr<LaterAnswer>& answer) {
  auto plan = manager.plan(call.change);
  if (!plan.ok()) return answer->send(plan.error());
  if (call.is_dry_run) return answer->send(render_plugin_change(*plan, std::nullopt));
  manager.apply(std::move(call.change),
                [answer, plan = *std::move(plan)](Result<plugins::Generation> result) {
                  if (!result.ok()) return answer->send(result.error());
                  answer->send(render_plugin_change(plan, *std::move(result)));
                });
}

}  // namespace

void list_plugins(const Exchange& exchange) {
  const PluginManager* const manager = plugins_or_answer(exchange);
  if (manager == nullptr) return;
  exchange.server.tasks.push(
      [manager, &sandbox = exchange.server.sandbox, answer = LaterAnswer::of(exchange)] {
        answer->send(render_plugin_list({.generation = manager->generation(),
                                         .sandbox = sandbox,
                                         .plugins = manager->list(),
                                         .quarantined = manager->quarantined()}));
      });
}

void get_plugin(const Exchange& exchange) { send_plugin(exchange, render_plugin); }

void get_plugin_health(const Exchange& exchange) { send_plugin(exchange, render_plugin_health); }

void change_plugins(const Exchange& exchange) {
  PluginManager* const manager = plugins_or_answer(exchange);
  if (manager == nullptr) return;
  auto call = parse_plugin_change(exchange.request.body);
  if (!call.ok()) return exchange.writer->send(error_response(call.error()));
  if (exchange.server.is_draining) {
    return exchange.writer->send(
        error_response(Error{ErrorCode::kShuttingDown, "the server is being stopped"}));
  }
  const auto answer = LaterAnswer::of(exchange, ignored_fields_header(call->ignored_fields));
  log_info("a change of plugins was asked for", {{"action", plugin_change_name(call->change.kind)},
                                                 {"plugin", call->change.plugin},
                                                 {"source", call->change.source},
                                                 {"dry_run", call->is_dry_run},
                                                 {"request_id", exchange.request_id}});
  exchange.server.tasks.push(
      [manager, answer, call = *std::move(call)] { carry_out(*manager, call, answer); });
}

void list_plugin_generations(const Exchange& exchange) {
  PluginManager* const manager = plugins_or_answer(exchange);
  if (manager == nullptr) return;
  exchange.server.tasks.push([manager, answer = LaterAnswer::of(exchange)] {
    const auto generations = manager->generations();
    generations.ok() ? answer->send(render_plugin_generations(*generations))
                     : answer->send(generations.error());
  });
}

void list_plugin_events(const Exchange& exchange) {
  const PluginManager* const manager = plugins_or_answer(exchange);
  if (manager == nullptr) return;
  const auto target = parse_target(exchange.request.target);
  const auto after = parse_event_position(exchange.request.headers.find("Last-Event-ID"),
                                          target.ok() ? std::string_view(target->query) : "");
  if (!after.ok()) return exchange.writer->send(error_response(after.error()));
  if (!wants_stream(exchange.request)) {
    return exchange.writer->send(json_response(render_plugin_events(manager->events_after(*after))));
  }
  if (exchange.server.is_draining) {
    return exchange.writer->send(
        error_response(Error{ErrorCode::kShuttingDown, "the server is being stopped"}));
  }
  PluginEventStream::start(exchange, *after);
}

}  // namespace llama_gpu::server::handlers
