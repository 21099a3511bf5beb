// SPDX-License-Identifier: Apache-2.0
#include "server/http_listener.h"

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"

namespace llama_gpu::server {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

// After an accept that failed, mostly for want of file descriptors: some connection may end meanwhile.
constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

HttpListener::HttpListener(asio::io_context& io, ServerContext& server)
    : io_(io), server_(server), acceptor_(asio::make_strand(io)), pause_(acceptor_.get_executor()) {}

Status HttpListener::listen(ListeningSocket socket) {
  boost::system::error_code code;
  port_ = socket.port();
  acceptor_.assign(socket.is_ipv6() ? Tcp::v6() : Tcp::v4(), socket.release(), code);
  if (code) return Error{ErrorCode::kInternal, "cannot accept connections: " + code.message()};
  accept_next();
  return {};
}

void HttpListener::accept_next() {
  acceptor_.async_accept(asio::make_strand(io_),
                         [this](const boost::system::error_code& code, Tcp::socket socket) {
                           if (!acceptor_.is_open()) return;
                           if (code) return accept_later();
                           on_accepted(std::move(socket));
                           accept_next();
                         });
}

void HttpListener::accept_later() {
  log_warning("a connection could not be accepted");
  pause_.expires_after(kAcceptPause);
  pause_.async_wait([this](const boost::system::error_code& code) {
    if (!code && acceptor_.is_open()) accept_next();
  });
}

void HttpListener::on_accepted(HttpSession::Socket socket) {
  const int64_t most = server_.options.max_connections;
  // A refusal is told, and the connection read on so that it arrives: that holds a descriptor for a while.
  if (num_sessions() >= most + server_.options.limits.max_refused_connections) return;
  const auto session = std::make_shared<HttpSession>(std::move(socket), server_, *this);
  {
    const std::lock_guard lock(mutex_);
    sessions_.emplace(session.get(), session);
  }
  const int64_t count = num_sessions();
  server_.metrics.set(telemetry::Gauge::kHttpConnections, static_cast<double>(count));
  if (count <= most) return session->start();
  session->start_refusing(Error{ErrorCode::kOverloaded,
                                "the server has " + std::to_string(most) + " connections",
                                "try again later, or raise server.max_connections"});
}

void HttpListener::stop_accepting() {
  std::promise<void> closed;
  asio::post(acceptor_.get_executor(), [this, &closed] {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    closed.set_value();
  });
  closed.get_future().wait();
}

void HttpListener::announce_drain() {
  for (const auto& session : sessions()) session->announce_drain();
}

void HttpListener::abort_all(const Error& error) {
  for (const auto& session : sessions()) session->abort(error);
}

void HttpListener::close_all() {
  for (const auto& session : sessions()) session->close();
}

int64_t HttpListener::num_sessions() {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(sessions_.size());
}

std::vector<std::shared_ptr<HttpSession>> HttpListener::sessions() {
  std::vector<std::shared_ptr<HttpSession>> living;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, weak] : sessions_) {
    if (auto session = weak.lock()) living.push_back(std::move(session));
  }
  return living;
}

bool HttpListener::wait_for_answers(std::chrono::milliseconds longest) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, longest, [this] { return num_answers_ == 0; });
}

bool HttpListener::wait_for_sessions(std::chrono::milliseconds longest) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, longest, [this] { return sessions_.empty(); });
}

void HttpListener::on_exchange_begun() {
  const std::lock_guard lock(mutex_);
  ++num_answers_;
}

void HttpListener::on_exchange_ended() {
  const std::lock_guard lock(mutex_);
  if (--num_answers_ == 0) changed_.notify_all();
}

void HttpListener::on_session_gone(const HttpSession* session) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(session);
  server_.metrics.set(telemetry::Gauge::kHttpConnections, static_cast<double>(sessions_.size()));
  if (sessions_.empty()) changed_.notify_all();
}

}  // namespace llama_gpu::server
