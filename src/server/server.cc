// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "server/http_listener.h"
#include "server/plugin_metrics.h"
#include "server/server_context.h"
#include "server/server_metrics.h"

namespace llama_gpu::server {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAbortGrace{2'000};   // for an error event to reach its client
constexpr milliseconds kShortGrace{100};     // the same, where somebody waits for the end
constexpr milliseconds kCloseGrace{10'000};  // for handlers that still run; far beyond what any takes

Error shutting_down() { return {ErrorCode::kShuttingDown, "the server is being stopped"}; }

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, ServerParts parts)
      : options_(std::move(options)),
        context_{.options = options_,
                 .host = parts.host,
                 .metrics = parts.metrics,
                 .assets = parts.assets,
                 .clock = system_clock(),
                 .access = AccessControl(options_),
                 .plugins = parts.plugins,
                 .filter = parts.filter,
                 .sandbox = std::move(parts.sandbox)},
        listener_(io_, context_) {}

  Status start(ListeningSocket socket) {
    TRY_STATUS(listener_.listen(std::move(socket)));
    for (int32_t i = 0; i < options_.num_threads; ++i) threads_.emplace_back([this] { run(); });
    return {};
  }

  uint16_t port() const { return listener_.port(); }

  void watch_plugins(plugins::PluginManager& plugins) {
    plugin_hook_ = count_plugin_events(plugins, context_.metrics);
    context_.metrics.on_collect(plugin_collector(plugins));
  }

  void drain(milliseconds longest) {
    const std::lock_guard lock(drain_mutex_);
    if (threads_.empty()) return;
    context_.is_draining = true;
    listener_.announce_drain();
    listener_.wait_for_answers(longest);
    listener_.stop_accepting();
    listener_.abort_all(shutting_down());
    if (!listener_.wait_for_sessions(longest.count() > 0 ? kAbortGrace : kShortGrace)) listener_.close_all();
    if (!listener_.wait_for_sessions(kCloseGrace)) log_error("connections are left open at the end");
    work_.reset();
    io_.stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void end_answers() {
    listener_.abort_all(shutting_down());
    if (!listener_.wait_for_sessions(kShortGrace)) listener_.close_all();
  }

 private:
  void run() {
    while (!io_.stopped()) {
      try {
        io_.run();
      } catch (const std::exception& failure) {
        log_error("a server thread caught an exception", {{"what", failure.what()}});
      }
    }
  }

  ServerOptions options_;
  ServerContext context_;
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ =
      boost::asio::make_work_guard(io_);
  HttpListener listener_;
  std::shared_ptr<void> plugin_hook_;
  std::mutex drain_mutex_;
  std::vector<std::thread> threads_;
};

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, ServerParts parts) {
  TRY(ListeningSocket socket, ListeningSocket::open(options));
  return start(std::move(options), std::move(parts), std::move(socket));
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, ServerParts parts,
                                              ListeningSocket socket) {
  // A client that leaves while it is written to is an ordinary event, not a reason to end.
  std::signal(SIGPIPE, SIG_IGN);
  auto impl = std::make_unique<Impl>(std::move(options), parts);
  TRY_STATUS(impl->start(std::move(socket)));
  expose_known_series(parts.host, parts.metrics);
  parts.metrics.set(telemetry::Gauge::kProcessStartTimeSeconds,
                    static_cast<double>(system_clock().unix_seconds()));
  parts.metrics.on_collect(
      [host = &parts.host](telemetry::Registry& metrics) { collect_metrics(*host, metrics); });
  if (parts.plugins != nullptr) impl->watch_plugins(*parts.plugins);
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { impl_->drain(milliseconds(0)); }

uint16_t Server::port() const { return impl_->port(); }

void Server::drain(milliseconds longest) { impl_->drain(longest); }

void Server::end_answers() { impl_->end_answers(); }

}  // namespace llama_gpu::server
