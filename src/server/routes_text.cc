// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "base/strings.h"
#include "server/api_error.h"
#include "server/generation_exchange.h"
#include "server/json_writer.h"
#include "server/parse_text.h"
#include "server/routes.gen.h"
#include "server/server_context.h"

namespace llama_gpu::server::handlers {
namespace {

// An answer that waits for one call of the host, which is taken back when nobody waits for it any more.
class PendingAnswer : public ExchangeListener {
 public:
  PendingAnswer(const Exchange& exchange, const std::vector<std::string>& ignored_fields)
      : writer_(exchange.writer),
        host_(exchange.server.host),
        ignored_(ignored_fields_header(ignored_fields)) {}

  // The call it waits for.
  void wait_for(engine::RequestId call) { call_ = call; }

  void on_closed() override {
    if (!std::exchange(has_ended_, true)) host_.cancel(call_);
  }
  void on_abort(const Error& error) override {
    if (has_ended_) return;
    host_.cancel(call_);
    end(error_response(error));
  }

  void end(HttpResponse response) {
    if (std::exchange(has_ended_, true)) return;
    if (!ignored_.empty()) response.headers.add("x-ignored-fields", ignored_);
    writer_->send(std::move(response));
  }

 private:
  std::shared_ptr<ResponseWriter> writer_;
  supervisor::ModelHost& host_;
  engine::RequestId call_ = 0;
  std::string ignored_;
  bool has_ended_ = false;
};

// Calls the host with `start`, which hands on a callback and returns the call's id; the result is written
// with `render` and answered on the connection's thread.
template <typename T, typename Start>
void answer_with(const Exchange& exchange, const std::vector<std::string>& ignored_fields,
                 std::string (*render)(const T&), const Start& start) {
  auto pending = std::make_shared<PendingAnswer>(exchange, ignored_fields);
  exchange.writer->listen(pending);
  const auto on_result = [writer = exchange.writer, weak = std::weak_ptr(pending), render](Result<T> result) {
    writer->post([weak, render, result = std::move(result)] {
      const auto answer = weak.lock();
      if (answer) answer->end(result.ok() ? json_response(render(*result)) : error_response(result.error()));
    });
  };
  pending->wait_for(start(exchange.server.host, on_result));
}

std::string render_tokens(const supervisor::TokenizedText& text) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("tokens").begin_array();
  for (const TokenId token : text.tokens) json.integer(token);
  json.end_array().end_object();
  return body;
}

// A piece that is no text by itself, part of a character, is an array of its bytes.
void write_piece(JsonWriter& json, const std::vector<uint8_t>& piece) {
  const std::string text(piece.begin(), piece.end());
  if (is_valid_utf8(text)) {
    json.string(text);
    return;
  }
  json.begin_array();
  for (const uint8_t byte : piece) json.integer(byte);
  json.end_array();
}

std::string render_pieces(const supervisor::TokenizedText& text) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("tokens").begin_array();
  for (size_t i = 0; i < text.tokens.size() && i < text.pieces.size(); ++i) {
    json.begin_object().key("id").integer(text.tokens[i]).key("piece");
    write_piece(json, text.pieces[i]);
    json.end_object();
  }
  json.end_array().end_object();
  return body;
}

std::string render_text(std::string_view key, const std::string& text) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key(key).string(text).end_object();
  return body;
}

std::string render_content(const std::string& text) { return render_text("content", text); }
std::string render_prompt(const std::string& text) { return render_text("prompt", text); }

}  // namespace

void tokenize(const Exchange& exchange) {
  auto call = parse_tokenize(exchange.request.body);
  if (!call.ok()) return exchange.writer->send(error_response(call.error()));
  const auto model = find_model_or_first(exchange.server.host, call->model);
  if (!model.ok()) return exchange.writer->send(error_response(model.error()));
  answer_with<supervisor::TokenizedText>(
      exchange, call->ignored_fields, call->with_pieces ? render_pieces : render_tokens,
      [&](supervisor::ModelHost& host, const auto& on_result) {
        return host.tokenize(model->id, std::move(call->prompt), call->with_pieces, on_result);
      });
}

void detokenize(const Exchange& exchange) {
  auto call = parse_detokenize(exchange.request.body);
  if (!call.ok()) return exchange.writer->send(error_response(call.error()));
  const auto model = find_model_or_first(exchange.server.host, call->model);
  if (!model.ok()) return exchange.writer->send(error_response(model.error()));
  answer_with<std::string>(exchange, call->ignored_fields, render_content,
                           [&](supervisor::ModelHost& host, const auto& on_result) {
                             return host.detokenize(model->id, std::move(call->tokens), on_result);
                           });
}

void apply_template(const Exchange& exchange) {
  auto call = parse_apply_template(exchange.request.body);
  if (!call.ok()) return exchange.writer->send(error_response(call.error()));
  const auto model = find_model_or_first(exchange.server.host, call->model);
  if (!model.ok()) return exchange.writer->send(error_response(model.error()));
  answer_with<std::string>(exchange, call->ignored_fields, render_prompt,
                           [&](supervisor::ModelHost& host, const auto& on_result) {
                             return host.apply_template(model->id, std::move(call->prompt), on_result);
                           });
}

}  // namespace llama_gpu::server::handlers
