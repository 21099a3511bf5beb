// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "server/http_session.h"
#include "server/listening_socket.h"
#include "server/server_context.h"

namespace llama_gpu::server {

// Accepts connections and keeps count of their sessions. Thread-safe.
class HttpListener : public SessionObserver {
 public:
  HttpListener(boost::asio::io_context& io, ServerContext& server);
  // REQUIRES: no session is left, and nothing runs `io`.
  ~HttpListener() override = default;

  // Accepts from now on.
  Status listen(ListeningSocket socket);
  // What was bound to.
  uint16_t port() const { return port_; }

  // No connection is accepted from now on. REQUIRES: another thread runs the io_context.
  void stop_accepting();
  // See HttpSession::announce_drain.
  void announce_drain();
  // Ends running answers with `error`; see HttpSession::abort.
  void abort_all(const Error& error);
  // Closes every connection at once.
  void close_all();

  // Whether it came true in time: no answer is in the making; no session is left.
  bool wait_for_answers(std::chrono::milliseconds longest);
  bool wait_for_sessions(std::chrono::milliseconds longest);

  void on_exchange_begun() override;
  void on_exchange_ended() override;
  void on_session_gone(const HttpSession* session) override;

 private:
  using Acceptor = boost::asio::ip::tcp::acceptor;

  void accept_next();
  void on_accepted(HttpSession::Socket socket);
  void accept_later();
  int64_t num_sessions();
  std::vector<std::shared_ptr<HttpSession>> sessions();

  boost::asio::io_context& io_;
  ServerContext& server_;
  Acceptor acceptor_;
  boost::asio::steady_timer pause_;
  uint16_t port_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<const HttpSession*, std::weak_ptr<HttpSession>> sessions_;
  int64_t num_answers_ = 0;
};

}  // namespace llama_gpu::server
