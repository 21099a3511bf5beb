// SPDX-License-Identifier: Apache-2.0
#include "server/generation_exchange.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "server/api_error.h"
#include "server/ids.h"
#include "server/server_context.h"

namespace llama_gpu::server {
namespace {

constexpr std::string_view kKeepAlive = ": keep-alive\n\n";
constexpr size_t kNewsAtOnce = 64;  // then it is looked whether the client keeps up
constexpr int64_t kModestNewsBytes = 1 << 20;
constexpr size_t kMaxIgnoredFields = 32;
constexpr size_t kMaxIgnoredName = 64;

double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Memory that waiting news take, about.
int64_t size_of(const std::vector<engine::TokenLogprob>& logprobs) {
  size_t size = logprobs.size() * sizeof(engine::TokenLogprob);
  for (const engine::TokenLogprob& each : logprobs) {
    size += each.top.size() * sizeof(each.top.front()) + each.top_bytes.size() * sizeof(std::string);
  }
  return static_cast<int64_t>(size);
}

int64_t size_of(const engine::SequenceUpdate& update) {
  return static_cast<int64_t>(sizeof(update) + update.text.size() + update.tokens.size() * sizeof(TokenId)) +
         size_of(update.logprobs) + size_of(update.prompt_logprobs);
}

}  // namespace

// Where the host's thread leaves news for the connection's thread. Thread-safe.
class GenerationExchange::Mailbox {
 public:
  Mailbox(std::shared_ptr<ResponseWriter> writer, std::weak_ptr<GenerationExchange> reader,
          const ServerContext& server)
      : writer_(std::move(writer)),
        reader_(std::move(reader)),
        limits_(server.options.limits),
        bytes_of_all_(server.waiting_news_bytes) {}
  ~Mailbox() { *bytes_of_all_ -= bytes_; }

  void put(News news) {
    bool is_now_full = false;
    {
      const std::lock_guard lock(mutex_);
      if (is_full_) return;
      if (const auto* update = std::get_if<engine::SequenceUpdate>(&news.what)) count(size_of(*update));
      is_now_full = is_full_ = is_too_much();
      if (is_full_) {
        news.what = Error{ErrorCode::kOverloaded,
                          "the client reads too slowly, and the rest of its answer was given up"};
      }
      news_.push_back(std::move(news));
      if (std::exchange(is_reader_called_, true) && !is_now_full) return;
    }
    writer_->post([reader = reader_, is_now_full] {
      const auto exchange = reader.lock();
      if (!exchange) return;
      // At once: the news that say so are read only when the client reads again.
      if (is_now_full) exchange->cancel_requests();
      exchange->read_mail();
    });
  }

  // The oldest news. Where there are none, the next put() calls the reader.
  std::vector<News> take() {
    const std::lock_guard lock(mutex_);
    std::vector<News> taken;
    while (!news_.empty() && taken.size() < kNewsAtOnce) {
      if (const auto* update = std::get_if<engine::SequenceUpdate>(&news_.front().what))
        count(-size_of(*update));
      taken.push_back(std::move(news_.front()));
      news_.pop_front();
    }
    is_reader_called_ = !taken.empty();
    return taken;
  }

 private:
  void count(int64_t bytes) {
    bytes_ += bytes;
    *bytes_of_all_ += bytes;
  }
  // Where all together hold too much, only those who hold a good part of it give up.
  bool is_too_much() const {
    if (bytes_ > limits_.max_waiting_news_bytes) return true;
    return *bytes_of_all_ > limits_.max_waiting_news_bytes_of_all && bytes_ > kModestNewsBytes;
  }

  std::shared_ptr<ResponseWriter> writer_;
  std::weak_ptr<GenerationExchange> reader_;
  const HttpLimits limits_;
  const std::shared_ptr<std::atomic<int64_t>> bytes_of_all_;
  std::mutex mutex_;
  std::deque<News> news_;
  int64_t bytes_ = 0;  // of news_
  bool is_full_ = false;
  bool is_reader_called_ = false;
};

// Hears of one prompt on the host's thread.
class GenerationExchange::Observer : public supervisor::GenerationObserver {
 public:
  Observer(std::shared_ptr<Mailbox> mailbox, size_t prompt_idx, const Clock& clock)
      : mailbox_(std::move(mailbox)), prompt_idx_(prompt_idx), clock_(clock) {}

  void on_accepted(const engine::SubmitReceipt& receipt) override { put(receipt); }
  void on_update(const engine::SequenceUpdate& update) override { put(update); }
  void on_failed(const Error& error) override { put(error); }

 private:
  template <typename T>
  void put(const T& what) {
    mailbox_->put({prompt_idx_, clock_.now(), what});
  }

  std::shared_ptr<Mailbox> mailbox_;
  size_t prompt_idx_;
  const Clock& clock_;
};

void GenerationExchange::start(const Exchange& exchange, GenerationCall call, const Api& api) {
  if (exchange.server.is_draining) {
    exchange.writer->send(error_response(Error{ErrorCode::kShuttingDown, "the server is being stopped"}));
    return;
  }
  auto model = find_model(exchange.server.host, call.model);
  if (!model.ok()) {
    exchange.writer->send(error_response(model.error()));
    return;
  }
  const auto self = std::make_shared<GenerationExchange>(exchange, std::move(call), api);
  self->model_id_ = model->id;
  exchange.writer->listen(self);
  self->filter();
}

GenerationExchange::GenerationExchange(const Exchange& exchange, GenerationCall call, const Api& api)
    : server_(exchange.server),
      writer_(exchange.writer),
      request_id_(exchange.request_id),
      call_(std::move(call)),
      api_(api),
      received_(server_.clock.now()) {
  const auto per_prompt = static_cast<size_t>(call_.requests.front().num_choices);
  choices_.resize(call_.requests.size() * per_prompt);
  num_open_choices_ = choices_.size();
}

// What is answered, and echoed, is what the filters leave of the prompts.
void GenerationExchange::filter() {
  if (server_.filter == nullptr || !server_.filter->is_active()) return launch();
  std::vector<engine::Prompt> prompts;
  for (engine::GenerationRequest& request : call_.requests) prompts.push_back(std::move(request.prompt));
  const auto on_filtered = [weak = weak_from_this(),
                            writer = writer_](Result<std::vector<engine::Prompt>> filtered) {
    writer->post([weak, filtered = std::move(filtered)] {
      const auto self = weak.lock();
      if (!self || self->has_ended_) return;
      if (!filtered.ok()) return self->fail(filtered.error());
      for (size_t i = 0; i < filtered->size(); ++i) self->call_.requests[i].prompt = (*filtered)[i];
      self->launch();
    });
  };
  filter_prompts(*server_.filter, {request_id_, model_id_, {}}, std::move(prompts), on_filtered);
}

void GenerationExchange::launch() {
  const AnswerHead head{.id = random_id(api_.id_prefix),
                        .created_unix_seconds = server_.clock.unix_seconds(),
                        .model = call_.model};
  renderer_ = api_.make_renderer(head, {.is_stream = call_.is_stream,
                                        .include_usage = call_.include_usage,
                                        .num_choices = static_cast<int32_t>(choices_.size()),
                                        .has_logprobs = call_.requests.front().top_logprobs.has_value()});
  mailbox_ = std::make_shared<Mailbox>(writer_, weak_from_this(), server_);
  for (size_t i = 0; i < call_.requests.size(); ++i) {
    engine::GenerationRequest& request = call_.requests[i];
    if (const auto* text = std::get_if<engine::TextPrompt>(&request.prompt); text && call_.echo) {
      echo(i, text->text);
    } else {
      request.wants_prompt_text = call_.echo;
    }
    request.id = server_.host.next_request_id();
    request.trace_id = request_id_;
    request.received_ns = std::chrono::nanoseconds(received_.time_since_epoch()).count();
    request_ids_.push_back(request.id);
    server_.host.generate(model_id_, std::move(request),
                          std::make_shared<Observer>(mailbox_, i, server_.clock));
  }
}

void GenerationExchange::read_mail() {
  const auto keep = shared_from_this();  // the end of the answer lets go of this
  while (!has_ended_ && !writer_->is_congested()) {
    const std::vector<News> batch = mailbox_->take();
    if (batch.empty()) return;
    take(batch);
  }
}

void GenerationExchange::take(const std::vector<News>& batch) {
  for (const News& news : batch) {
    take(news);
    if (has_ended_) return;
  }
  // The last event comes with the end of the stream.
  if (num_open_choices_ == 0) return finish();
  if (events_.empty()) return;
  begin_stream();
  writer_->write(events_);
  events_.clear();
}

void GenerationExchange::take(const News& news) {
  if (const auto* receipt = std::get_if<engine::SubmitReceipt>(&news.what))
    return take_receipt(news.prompt_idx, *receipt);
  if (const auto* error = std::get_if<Error>(&news.what)) return fail(*error);
  take_update(news, std::get<engine::SequenceUpdate>(news.what));
}

void GenerationExchange::take_receipt(size_t prompt_idx, const engine::SubmitReceipt& receipt) {
  ++num_accepted_;
  if (receipt.prompt_text) echo(prompt_idx, *receipt.prompt_text);
  const auto num_tokens = static_cast<int64_t>(receipt.prompt_tokens.size());
  usage_.prompt_tokens += num_tokens;
  server_.metrics.add(telemetry::Counter::kPromptTokensTotal, static_cast<double>(num_tokens), {model_id_});
}

void GenerationExchange::echo(size_t prompt_idx, std::string_view text) {
  for (size_t i = 0; i < choices_per_prompt(); ++i)
    renderer_->echo(static_cast<int32_t>(prompt_idx * choices_per_prompt() + i), text);
}

void GenerationExchange::take_update(const News& news, const engine::SequenceUpdate& update) {
  if (update.choice < 0 || static_cast<size_t>(update.choice) >= choices_per_prompt()) {
    return fail(Error{ErrorCode::kInternal, "the engine answered a choice that was not asked for"});
  }
  const size_t index = news.prompt_idx * choices_per_prompt() + static_cast<size_t>(update.choice);
  Choice& choice = choices_[index];
  if (choice.has_finished) return;
  usage_.completion_tokens += static_cast<int64_t>(update.tokens.size());
  usage_.cached_tokens = std::max<int64_t>(usage_.cached_tokens, update.num_cached_prompt_tokens);
  // Once more after a worker that ended before the first token.
  if (update.queue_microseconds && !std::exchange(choice.was_scheduled, true)) {
    server_.metrics.observe(telemetry::Histogram::kQueueTimeSeconds,
                            static_cast<double>(*update.queue_microseconds) * 1e-6, {model_id_});
  }
  measure(choice, update.tokens.size(), news.came);
  if (update.error) return fail(*update.error);
  if (update.finish == engine::FinishReason::kCancelled || update.finish == engine::FinishReason::kError) {
    return fail(Error{ErrorCode::kInternal, "the answer was broken off by the server"});
  }
  renderer_->add(static_cast<int32_t>(index), update, events_);
  if (update.finish) {
    choice.has_finished = true;
    --num_open_choices_;
  }
}

// By the time when a token came, not when a slow client let it be read.
void GenerationExchange::measure(Choice& choice, size_t num_tokens, SteadyTime came) {
  if (num_tokens == 0) return;
  telemetry::Registry& metrics = server_.metrics;
  metrics.add(telemetry::Counter::kGenerationTokensTotal, static_cast<double>(num_tokens), {model_id_});
  if (!choice.last_token) {
    metrics.observe(telemetry::Histogram::kTimeToFirstTokenSeconds, seconds(came - received_), {model_id_});
  } else {
    metrics.observe(telemetry::Histogram::kInterTokenLatencySeconds,
                    seconds(came - *choice.last_token) / static_cast<double>(num_tokens), {model_id_});
  }
  choice.last_token = came;
}

// Every prompt was found good, and no worker has to come back first.
bool GenerationExchange::is_with_a_worker() const {
  if (num_accepted_ < call_.requests.size()) return false;
  const auto model = server_.host.find_model(model_id_);
  return model && model->is_ready;
}

void GenerationExchange::begin_stream() {
  if (std::exchange(has_begun_, true)) return;
  HttpResponse head{.status = 200, .content_type = "text/event-stream; charset=utf-8"};
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Accel-Buffering", "no");  // a proxy that buffers would make a stream a document
  const std::string ignored = ignored_fields_header(call_.ignored_fields);
  if (!ignored.empty()) head.headers.add("x-ignored-fields", ignored);
  writer_->begin_stream(std::move(head));
}

void GenerationExchange::finish() {
  has_ended_ = true;
  server_.metrics.observe(telemetry::Histogram::kRequestDurationSeconds,
                          seconds(server_.clock.now() - received_), {model_id_});
  renderer_->finish(usage_, events_);
  if (call_.is_stream) {
    begin_stream();
    writer_->write(events_);
    writer_->end_stream();
    return;
  }
  HttpResponse response = json_response(std::move(events_));
  const std::string ignored = ignored_fields_header(call_.ignored_fields);
  if (!ignored.empty()) response.headers.add("x-ignored-fields", ignored);
  writer_->send(std::move(response));
}

void GenerationExchange::fail(const Error& error) {
  if (std::exchange(has_ended_, true)) return;
  const auto keep = shared_from_this();
  cancel_requests();
  if (error_code_info(error.code).http_status >= 500) {
    log_warning("a generation failed", {{"request_id", request_id_},
                                        {"model", model_id_},
                                        {"code", error_code_info(error.code).name},
                                        {"message", error.message}});
  }
  if (!has_begun_) return writer_->send(error_response(error));
  writer_->write(events_ + error_events(error));
  writer_->end_stream();
}

void GenerationExchange::on_closed() {
  has_ended_ = true;
  cancel_requests();
}

void GenerationExchange::on_silence() {
  if (has_ended_ || !call_.is_stream || writer_->is_congested()) return;
  if (!has_begun_ && !is_with_a_worker()) return;  // it may still be refused, with a status
  begin_stream();
  writer_->write(kKeepAlive);
}

void GenerationExchange::on_drained() {
  if (!has_ended_ && mailbox_) read_mail();
}

void GenerationExchange::on_abort(const Error& error) { fail(error); }

void GenerationExchange::cancel_requests() {
  for (const engine::RequestId id : std::exchange(request_ids_, {})) server_.host.cancel(id);
}

Result<supervisor::ServedModel> find_model(const supervisor::ModelHost& host, std::string_view name) {
  if (auto model = host.find_model(name)) return *std::move(model);
  std::string served;
  const auto add = [&](const std::string& known) { served += (served.empty() ? "'" : ", '") + known + "'"; };
  for (const auto& model : host.models()) {
    add(model.id);
    std::ranges::for_each(model.aliases, add);
  }
  return Error{ErrorCode::kModelNotFound, "the model '" + escape_line(name, 100) + "' is not served",
               served.empty() ? "no model is served" : "served: " + served, "model"};
}

Result<supervisor::ServedModel> find_model_or_first(const supervisor::ModelHost& host,
                                                    const std::optional<std::string>& name) {
  if (name) return find_model(host, *name);
  std::vector<supervisor::ServedModel> models = host.models();
  if (models.empty()) return Error{ErrorCode::kModelNotFound, "no model is served", "", "model"};
  return std::move(models.front());
}

std::string ignored_fields_header(const std::vector<std::string>& names) {
  std::string header;
  for (size_t i = 0; i < names.size() && i < kMaxIgnoredFields; ++i) {
    if (i > 0) header += ", ";
    for (const char c : std::string_view(names[i]).substr(0, kMaxIgnoredName)) {
      header += c > ' ' && c < 0x7F && c != ',' ? c : '?';
    }
  }
  if (names.size() > kMaxIgnoredFields) header += ", ...";
  return header;
}

}  // namespace llama_gpu::server
