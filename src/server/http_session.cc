// SPDX-License-Identifier: Apache-2.0
// Life of a connection: kHead (a request's header section comes in, or nothing) -> kBody -> kAnswering ->
// kHead of the next request; or, where the connection ends with this answer, -> kLingering (what the client
// still sends is read and dropped: closing at once would reset the connection, and the answer could be lost)
// -> kClosed.
#include "server/http_session.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "server/api_error.h"
#include "server/ids.h"
#include "server/render_http.h"

namespace llama_gpu::server {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kReadBytes = size_t{16} << 10;
constexpr int kReadsAtOnce = 8;                    // then others get their turn
constexpr size_t kKeptCapacity = size_t{4} << 10;  // of a buffer between requests

std::string_view status_class(int status) {
  static constexpr std::array<std::string_view, 6> kClasses = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};
  return kClasses[static_cast<size_t>(status / 100)];
}

void release_memory(std::string& buffer) {
  if (buffer.empty() && buffer.capacity() > kKeptCapacity) std::string().swap(buffer);
}

}  // namespace

// What a handler holds. It knows the session weakly: a handler, or the host, may keep it longer than the
// connection.
class HttpSession::Writer : public ResponseWriter, public std::enable_shared_from_this<Writer> {
 public:
  explicit Writer(std::weak_ptr<HttpSession> session) : session_(std::move(session)) {}

  void post(std::function<void()> task) override {
    auto session = session_.lock();
    if (!session) return;
    const auto executor = session->socket_.get_executor();
    // Moved in: the last owner must be a thread of the server's, which has the socket's reactor.
    asio::post(executor, [session = std::move(session), task = std::move(task)] {
      try {
        task();
      } catch (const std::exception& failure) {
        log_error("an answer failed", {{"what", failure.what()}});
        session->shut_down();
      }
    });
  }

  void listen(std::shared_ptr<ExchangeListener> listener) override {
    if (const auto session = current()) session->listener_ = std::move(listener);
  }
  void send(HttpResponse response) override {
    if (const auto session = current()) session->answer(response);
  }
  void begin_stream(HttpResponse head) override {
    if (const auto session = current()) session->begin_stream(head);
  }
  void write(std::string_view bytes) override {
    if (const auto session = current()) session->write_stream(bytes);
  }
  bool is_congested() const override {
    const auto session = current();
    return session && session->is_congested_;
  }
  void end_stream() override {
    if (const auto session = current()) session->end_stream();
  }

 private:
  // The session, as long as it is this answer that it waits for.
  std::shared_ptr<HttpSession> current() const {
    auto session = session_.lock();
    return session && session->writer_.get() == this ? session : nullptr;
  }

  std::weak_ptr<HttpSession> session_;
};

HttpSession::HttpSession(Socket socket, ServerContext& server, SessionObserver& observer)
    : socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      server_(server),
      observer_(observer),
      phase_begun_(steady_clock::now()),
      window_begun_(phase_begun_),
      last_write_(phase_begun_),
      last_progress_(phase_begun_) {}

HttpSession::~HttpSession() { observer_.on_session_gone(this); }

void HttpSession::start() {
  boost::system::error_code code;
  socket_.non_blocking(true, code);
  if (!code) socket_.set_option(asio::ip::tcp::no_delay(true), code);
  if (code) return;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->wait_readable();
    self->set_deadline();
  });
}

void HttpSession::start_refusing(const Error& error) {
  boost::system::error_code code;
  socket_.non_blocking(true, code);
  if (code) return;
  asio::post(socket_.get_executor(), [self = shared_from_this(), error] {
    self->refuse(error);
    self->wait_readable();
    self->set_deadline();
  });
}

void HttpSession::abort(const Error& error) {
  asio::post(socket_.get_executor(), [self = shared_from_this(), error] {
    self->is_closing_ = true;
    if (const auto listener = self->listener_) listener->on_abort(error);
    const bool is_idle = self->phase_ == Phase::kHead || self->phase_ == Phase::kBody;
    if (is_idle && self->backlog_bytes() == 0) self->shut_down();
  });
}

void HttpSession::announce_drain() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (const auto listener = self->listener_) listener->on_server_draining();
  });
}

void HttpSession::close() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->shut_down(); });
}

// ---- Input

// Whether the client must read answers before more of its requests are taken.
bool HttpSession::is_input_paused() const {
  const size_t enough = server_.options.limits.max_pipelined_bytes;
  return phase_ == Phase::kHead && backlog_bytes() > enough && input_.size() >= enough;
}

void HttpSession::wait_readable() {
  if (is_reading_ || phase_ == Phase::kClosed || has_peer_left_ || is_input_paused()) return;
  is_reading_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const boost::system::error_code& code) {
    self->is_reading_ = false;
    if (!code) self->run_guarded(&HttpSession::on_readable);
  });
}

void HttpSession::on_readable() {
  if (phase_ == Phase::kClosed) return;
  read_available();
  process_input();
  if (has_peer_left_) on_peer_left();
  wait_readable();
  set_deadline();
}

void HttpSession::read_available() {
  std::array<char, kReadBytes> bytes;
  for (int i = 0; i < kReadsAtOnce && !is_input_paused(); ++i) {
    boost::system::error_code code;
    const size_t count = socket_.read_some(asio::buffer(bytes), code);
    if (code == asio::error::would_block || code == asio::error::try_again) return;
    if (code) {
      has_peer_left_ = true;
      is_broken_ = code != asio::error::eof;
      return;
    }
    if (phase_ == Phase::kLingering || is_closing_) continue;
    input_.append(bytes.data(), count);
    if (phase_ == Phase::kBody) process_input();
    if (phase_ == Phase::kAnswering && input_.size() > server_.options.limits.max_pipelined_bytes) {
      // Reading on is the only way to see that the client leaves, so what it sends beyond that is dropped.
      is_closing_ = true;
      input_.clear();
    }
  }
}

void HttpSession::process_input() {
  if (std::exchange(is_processing_, true)) return;  // a handler answered from within
  const auto may_go_on = [this] {
    const bool is_request = phase_ == Phase::kHead || phase_ == Phase::kBody;
    return is_request && !is_closing_ && backlog_bytes() <= server_.options.limits.max_pipelined_bytes;
  };
  while (may_go_on() && take_input()) {
  }
  is_processing_ = false;
  release_memory(input_);
}

// Feeds the parser once. Returns whether there may be more to do.
bool HttpSession::take_input() {
  if (!parser_) parser_ = std::make_unique<HttpParser>(server_.options.limits);
  const bool had_begun = parser_->has_begun(), had_head = parser_->has_head();
  const auto used = parser_->feed(input_);
  if (!used.ok()) {
    refuse(used.error());
    return false;
  }
  input_.erase(0, *used);
  if (!had_begun && parser_->has_begun()) phase_begun_ = steady_clock::now();
  if (!had_head && parser_->has_head()) {
    on_head();
    return true;
  }
  if (phase_ != Phase::kBody) return false;
  if (const Status status = hold_body(*used); !status.ok()) {
    refuse(status.error());
    return false;
  }
  if (parser_->is_complete()) {
    begin_answer();
    return true;
  }
  return false;
}

// Many clients that send slowly must not fill the memory together; short bodies go through even then.
Status HttpSession::hold_body(uint64_t num_bytes) {
  const auto count = static_cast<int64_t>(num_bytes);
  body_received_ += count;
  window_received_ += count;
  const int64_t all = server_.unfinished_body_bytes += count;
  const int64_t most = std::max(server_.options.max_unfinished_body_bytes, server_.options.max_body_bytes);
  const bool is_short = body_received_ <= static_cast<int64_t>(server_.options.limits.always_held_body_bytes);
  if (all <= most || is_short || parser_->is_complete()) return {};
  return Error{ErrorCode::kOverloaded,
               "the server holds " + std::to_string(most) + " bytes of unfinished requests",
               "try again later, or raise server.max_unfinished_body_bytes"};
}

void HttpSession::release_body() { server_.unfinished_body_bytes -= std::exchange(body_received_, 0); }

void HttpSession::on_head() {
  const HttpRequest& head = parser_->head();
  admission_ = admit(server_, head);
  request_line_ = head.method_name + " " + std::string(split_once(head.target, '?').first);
  is_head_request_ = head.method == Method::kHead;
  is_http_1_0_ = head.minor_version == 0;
  keep_alive_ = head.keep_alive;
  phase_ = Phase::kBody;
  phase_begun_ = window_begun_ = steady_clock::now();
  window_received_ = 0;
  if (admission_.answer && (admission_.is_last || head.has_body())) {
    // A refused body is not worth reading, so where the next request begins is not known.
    is_closing_ = true;
    begin_answer();
    return;
  }
  if (const Status status = parser_->limit_body(admission_.max_body); !status.ok())
    return refuse(status.error());
  const auto expect = head.headers.find("Expect");
  if (expect && equals_ignoring_case(*expect, "100-continue") && head.has_body() && !is_http_1_0_ &&
      input_.empty()) {
    output_ += kContinue;
    flush();
  }
}

void HttpSession::begin_answer() {
  HttpRequest request;
  if (parser_->is_complete()) request = parser_->take();
  parser_.reset();
  release_body();
  phase_ = Phase::kAnswering;
  phase_begun_ = last_write_ = steady_clock::now();
  status_ = 0;
  is_stream_ = is_congested_ = false;
  writer_ = std::make_shared<Writer>(weak_from_this());
  observer_.on_exchange_begun();
  if (admission_.answer) {
    answer(*admission_.answer);
  } else {
    dispatch(server_, admission_, std::move(request), writer_);
  }
}

// Answers a request that could not be read, and closes behind it.
void HttpSession::refuse(const Error& error) {
  if (phase_ == Phase::kHead) {
    admission_ = Admission();
    admission_.request_id = random_id("req_");
    admission_.common.add("x-request-id", admission_.request_id);
    is_head_request_ = is_http_1_0_ = false;
    request_line_ = "-";
  }
  admission_.route = nullptr;
  admission_.answer = error_response(error);
  is_closing_ = true;
  parser_ = std::make_unique<HttpParser>(server_.options.limits);
  begin_answer();
}

void HttpSession::on_peer_left() {
  const bool has_answers_to_send = phase_ != Phase::kAnswering && backlog_bytes() > 0 && !is_broken_;
  if (!has_answers_to_send) shut_down();
}

// ---- Output

void HttpSession::append_head(const HttpResponse& response, bool is_stream) {
  status_ = response.status;
  is_stream_ = is_stream;
  is_chunked_ = is_stream && !is_http_1_0_;
  if (is_stream && is_http_1_0_) keep_alive_ = false;
  const bool is_last = has_peer_left_ && input_.empty();
  if (is_closing_ || is_last || server_.is_draining) keep_alive_ = false;
  ResponseFrame frame;
  frame.framing = is_chunked_ ? Framing::kChunked : is_stream ? Framing::kUntilClose : Framing::kLength;
  frame.keep_alive = keep_alive_;
  frame.is_head_request = is_head_request_;
  frame.unix_seconds = server_.clock.unix_seconds();
  frame.common = &admission_.common;
  append_response(output_, response, frame);
  last_write_ = steady_clock::now();
  const std::string_view route = admission_.route != nullptr ? admission_.route->operation_id : "none";
  server_.metrics.add(telemetry::Counter::kHttpRequestsTotal, 1, {route, status_class(status_)});
}

void HttpSession::answer(const HttpResponse& response) {
  if (status_ != 0) return;
  append_head(response, /*is_stream=*/false);
  end_answer();
}

void HttpSession::begin_stream(const HttpResponse& head) {
  if (status_ != 0) return;
  append_head(head, /*is_stream=*/true);
  flush();
}

void HttpSession::write_stream(std::string_view bytes) {
  if (!is_stream_ || is_broken_) return;
  is_chunked_ ? append_chunk(output_, bytes) : void(output_ += bytes);
  last_write_ = steady_clock::now();
  flush();
  is_congested_ = backlog_bytes() > server_.options.limits.max_stream_backlog_bytes;
  set_deadline();
}

void HttpSession::end_stream() {
  if (!is_stream_) return;
  if (is_chunked_) output_ += kLastChunk;
  end_answer();
}

void HttpSession::end_answer() {
  const auto level = status_ >= 500                ? LogLevel::kWarning
                     : admission_.route == nullptr ? LogLevel::kDebug
                                                   : LogLevel::kInfo;
  const bool is_probe = admission_.route != nullptr && admission_.route->access == Access::kPublic;
  if (log_enabled(level)) {
    const auto duration = std::chrono::duration_cast<milliseconds>(steady_clock::now() - phase_begun_);
    log_event(is_probe ? LogLevel::kDebug : level, "answered",
              {{"request", request_line_},
               {"status", status_},
               {"milliseconds", static_cast<int64_t>(duration.count())},
               {"request_id", admission_.request_id}});
  }
  const auto listener = std::exchange(listener_, nullptr);  // lives until this returns
  writer_.reset();
  observer_.on_exchange_ended();
  phase_ = keep_alive_ && !is_closing_ ? Phase::kHead : Phase::kLingering;
  phase_begun_ = last_write_;
  flush();
  if (phase_ == Phase::kHead) process_input();
  wait_readable();
  set_deadline();
}

// Sends what the socket takes now, and waits where it takes no more.
void HttpSession::flush() {
  while (!is_writing_ && !is_broken_ && backlog_bytes() > 0) {
    if (sent_ == sending_.size()) {
      sending_.clear();
      sent_ = 0;
      sending_.swap(output_);
      last_progress_ = steady_clock::now();
    }
    boost::system::error_code code;
    const size_t count =
        socket_.write_some(asio::buffer(sending_.data() + sent_, sending_.size() - sent_), code);
    if (code == asio::error::would_block || code == asio::error::try_again) {
      is_writing_ = true;
      socket_.async_wait(Socket::wait_write,
                         [self = shared_from_this()](const boost::system::error_code& failed) {
                           self->is_writing_ = false;
                           if (!failed) self->run_guarded(&HttpSession::on_writable);
                         });
      return;
    }
    if (code) return break_off();
    sent_ += count;
    last_progress_ = steady_clock::now();
  }
  if (backlog_bytes() == 0) on_flushed();
}

void HttpSession::on_writable() {
  flush();
  const bool has_room = backlog_bytes() <= server_.options.limits.max_stream_backlog_bytes / 2;
  if (!is_congested_ || !has_room) return;
  is_congested_ = false;
  if (const auto listener = listener_) listener->on_drained();
}

void HttpSession::on_flushed() {
  sending_.clear();
  sent_ = 0;
  release_memory(sending_);
  release_memory(output_);
  if (phase_ == Phase::kLingering) {
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    phase_begun_ = steady_clock::now();
    if (has_peer_left_) break_off();
  } else if (phase_ == Phase::kHead && !is_processing_) {
    process_input();
    if (phase_ == Phase::kHead && backlog_bytes() == 0 && (has_peer_left_ || is_closing_)) break_off();
    wait_readable();
  }
  set_deadline();
}

// ---- Time

HttpSession::Time HttpSession::next_deadline() const {
  const HttpTimeouts& timeouts = server_.options.timeouts;
  const Time stalled = last_progress_ + timeouts.write_stall;
  switch (phase_) {
    case Phase::kHead: {
      const bool has_begun = parser_ && parser_->has_begun();
      const Time idle = phase_begun_ + (has_begun ? timeouts.head : timeouts.idle);
      return backlog_bytes() > 0 ? std::min(idle, stalled) : idle;
    }
    case Phase::kBody:
      return window_begun_ + timeouts.body_window;
    case Phase::kAnswering:
      return next_answer_deadline();
    case Phase::kLingering:
      return backlog_bytes() > 0 ? stalled : phase_begun_ + timeouts.linger;
    case Phase::kClosed:
      break;
  }
  return Time::max();
}

HttpSession::Time HttpSession::next_answer_deadline() const {
  const HttpTimeouts& timeouts = server_.options.timeouts;
  Time deadline = last_write_ + timeouts.silence;
  if (backlog_bytes() > 0) deadline = std::min(deadline, last_progress_ + timeouts.write_stall);
  if (status_ == 0 && admission_.route != nullptr && admission_.route->timeout_ms > 0) {
    deadline = std::min(deadline, phase_begun_ + milliseconds(admission_.route->timeout_ms));
  }
  return deadline;
}

// Arms the timer anew only for an earlier moment: one that fires too early looks again. So a token moves no
// timer.
void HttpSession::set_deadline() {
  const Time deadline = next_deadline();
  if (deadline >= armed_for_) return;
  armed_for_ = deadline;
  timer_.expires_at(deadline);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& code) {
    const auto self = weak.lock();
    if (code || !self) return;
    self->armed_for_ = Time::max();
    self->run_guarded(&HttpSession::on_deadline);
  });
}

void HttpSession::on_deadline() {
  const Time now = steady_clock::now();
  if (phase_ == Phase::kAnswering) {
    on_answer_deadline(now);
  } else if (phase_ == Phase::kBody && window_received_ >= server_.options.timeouts.body_bytes_per_window) {
    if (now >= next_deadline()) window_begun_ = now, window_received_ = 0;
  } else if (now >= next_deadline()) {
    const bool is_request_slow =
        phase_ == Phase::kBody || (phase_ == Phase::kHead && parser_ && parser_->has_begun());
    if (is_request_slow) {
      refuse(Error{ErrorCode::kRequestTimeout, "the request did not arrive in time", "send it faster"});
    } else {
      shut_down();
    }
  }
  if (phase_ != Phase::kClosed) set_deadline();
}

void HttpSession::on_answer_deadline(Time now) {
  const HttpTimeouts& timeouts = server_.options.timeouts;
  const auto listener = listener_;
  if (backlog_bytes() > 0 && now >= last_progress_ + timeouts.write_stall) {
    if (!is_stream_ || !listener) return shut_down();
    // Its place is freed; the end of the stream waits as long again, for a reader that was only paused.
    last_progress_ = now;
    log_info("a client has stopped reading its answer", {{"request_id", admission_.request_id}});
    return listener->on_abort(
        Error{ErrorCode::kOverloaded, "the client has stopped reading, and its answer was broken off"});
  }
  const int64_t timeout_ms = admission_.route != nullptr ? admission_.route->timeout_ms : 0;
  if (status_ == 0 && timeout_ms > 0 && now >= phase_begun_ + milliseconds(timeout_ms) && listener) {
    return listener->on_abort(Error{
        ErrorCode::kOverloaded, "no answer within " + std::to_string(timeout_ms) + " ms", "try again later"});
  }
  if (now >= last_write_ + timeouts.silence) {
    last_write_ = now;
    if (listener) listener->on_silence();
  }
}

// ---- End

void HttpSession::run_guarded(void (HttpSession::*step)()) {
  try {
    (this->*step)();
  } catch (const std::exception& failure) {
    log_error("a connection failed", {{"what", failure.what()}});
    shut_down();
  }
}

// Ends the connection, but not from within the call that found it broken.
void HttpSession::break_off() {
  is_broken_ = true;
  close();
}

void HttpSession::shut_down() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  release_body();
  timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
  if (std::exchange(writer_, nullptr)) observer_.on_exchange_ended();
  if (const auto listener = std::exchange(listener_, nullptr)) listener->on_closed();
}

}  // namespace llama_gpu::server
