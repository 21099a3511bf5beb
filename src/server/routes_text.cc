// SPDX-License-Identifier: Apache-2.0
#include <functional>
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

// An answer that waits for one call of the host. It cannot be called back, so a client that leaves is only
// forgotten.
class PendingAnswer : public ExchangeListener {
 public:
  PendingAnswer(std::shared_ptr<ResponseWriter> writer, const std::vector<std::string>& ignored_fields)
      : writer_(std::move(writer)), ignored_(ignored_fields_header(ignored_fields)) {}

  void on_closed() override { has_ended_ = true; }
  void on_abort(const Error& error) override { end(error_response(error)); }

  void end(HttpResponse response) {
    if (std::exchange(has_ended_, true)) return;
    if (!ignored_.empty()) response.headers.add("x-ignored-fields", ignored_);
    writer_->send(std::move(response));
  }

 private:
  std::shared_ptr<ResponseWriter> writer_;
  std::string ignored_;
  bool has_ended_ = false;
};

// A callback for the host that writes its result with `render` and answers on the connection's thread.
template <typename T>
std::function<void(Result<T>)> answer_with(const Exchange& exchange,
                                           const std::vector<std::string>& ignored_fields,
                                           std::string (*render)(const T&)) {
  auto pending = std::make_shared<PendingAnswer>(exchange.writer, ignored_fields);
  exchange.writer->listen(pending);
  return [writer = exchange.writer, weak = std::weak_ptr(pending), render](Result<T> result) {
    writer->post([weak, render, result = std::move(result)] {
      const auto answer = weak.lock();
      if (answer) answer->end(result.ok() ? json_response(render(*result)) : error_response(result.error()));
    });
  };
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
  exchange.server.host.tokenize(
      model->id, std::move(call->prompt), call->with_pieces,
      answer_with<supervisor::TokenizedText>(exchange, call->ignored_fields,
                                             call->with_pieces ? render_pieces : render_tokens));
}

void detokenize(const Exchange& exchange) {
  auto call = parse_detokenize(exchange.request.body);
  if (!call.ok()) return exchange.writer->send(error_response(call.error()));
  const auto model = find_model_or_first(exchange.server.host, call->model);
  if (!model.ok()) return exchange.writer->send(error_response(model.error()));
  exchange.server.host.detokenize(model->id, std::move(call->tokens),
                                  answer_with<std::string>(exchange, call->ignored_fields, render_content));
}

void apply_template(const Exchange& exchange) {
  auto call = parse_apply_template(exchange.request.body);
  if (!call.ok()) return exchange.writer->send(error_response(call.error()));
  const auto model = find_model_or_first(exchange.server.host, call->model);
  if (!model.ok()) return exchange.writer->send(error_response(model.error()));
  exchange.server.host.apply_template(
      model->id, std::move(call->prompt),
      answer_with<std::string>(exchange, call->ignored_fields, render_prompt));
}

}  // namespace llama_gpu::server::handlers
