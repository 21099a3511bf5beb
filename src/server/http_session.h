// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/dispatcher.h"
#include "server/parse_http.h"
#include "server/response_writer.h"
#include "server/server_context.h"

namespace llama_gpu::server {

class HttpSession;

// What whoever made a session hears of it. Thread-safe; outlives the session.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  // An answer is in the making from the first call to the second.
  virtual void on_exchange_begun() = 0;
  virtual void on_exchange_ended() = 0;
  // The session is being destroyed; the pointer is only a name any more.
  virtual void on_session_gone(const HttpSession* session) = 0;
};

// One connection: requests in, one after the other, and their answers in that order.
//
// While an answer is made the socket is still read, so that a client that leaves is noticed at once; requests
// that come meanwhile wait in the input buffer. Bytes are read when the socket is readable, so that an idle
// connection holds no buffer. Everything runs on the strand of the socket, but for abort() and close().
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Time = std::chrono::steady_clock::time_point;

  HttpSession(Socket socket, ServerContext& server, SessionObserver& observer);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  // Begins to read. Once.
  void start();
  // Instead of start(): answers with `error`, whatever comes, and closes.
  void start_refusing(const Error& error);

  // Thread-safe: ends a running answer with `error`, and closes when nothing is left to send.
  void abort(const Error& error);
  // Thread-safe: tells a running answer that the server stops.
  void announce_drain();
  // Thread-safe: closes at once.
  void close();

 private:
  class Writer;
  enum class Phase : uint8_t { kHead, kBody, kAnswering, kLingering, kClosed };

  // Input
  void wait_readable();
  void on_readable();
  void read_available();
  void process_input();
  bool take_input();
  void on_head();
  Status hold_body(uint64_t num_bytes);
  void release_body();
  void begin_answer();
  void on_peer_left();
  void refuse(const Error& error);

  // Output
  void answer(const HttpResponse& response);
  void begin_stream(const HttpResponse& head);
  void write_stream(std::string_view bytes);
  void end_stream();
  void append_head(const HttpResponse& response, bool is_stream);
  void end_answer();
  void flush();
  void on_flushed();
  void on_writable();
  size_t backlog_bytes() const { return output_.size() + sending_.size() - sent_; }
  bool is_input_paused() const;

  // Time
  void set_deadline();
  Time next_deadline() const;
  Time next_answer_deadline() const;
  void on_deadline();
  void on_answer_deadline(Time now);

  void run_guarded(void (HttpSession::*step)());
  void break_off();
  void shut_down();

  Socket socket_;
  boost::asio::steady_timer timer_;
  ServerContext& server_;
  SessionObserver& observer_;
  Phase phase_ = Phase::kHead;

  std::unique_ptr<HttpParser> parser_;  // of the request that is coming in
  std::string input_;
  int64_t body_received_ = 0;    // counted in server_.unfinished_body_bytes
  int64_t window_received_ = 0;  // of it since window_begun_
  bool is_reading_ = false;
  bool is_processing_ = false;
  bool has_peer_left_ = false;

  // The answer in the making.
  Admission admission_;
  std::shared_ptr<Writer> writer_;
  std::shared_ptr<ExchangeListener> listener_;
  std::string request_line_;  // method and path, for the log
  int status_ = 0;            // 0: not begun
  bool is_stream_ = false;
  bool is_chunked_ = false;
  bool is_head_request_ = false;
  bool is_http_1_0_ = false;
  bool keep_alive_ = true;
  bool is_closing_ = false;  // when what is answered now is sent

  std::string output_;  // behind what is being sent
  std::string sending_;
  size_t sent_ = 0;  // of sending_
  bool is_writing_ = false;
  bool is_congested_ = false;  // the handler holds back until on_drained()
  bool is_broken_ = false;     // nothing can be sent any more

  Time phase_begun_;
  Time window_begun_;   // while a body comes in
  Time last_write_;     // into output_
  Time last_progress_;  // of sending
  Time armed_for_ = Time::max();
};

}  // namespace llama_gpu::server
