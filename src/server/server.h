// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "plugins/plugin_manager.h"
#include "server/assets.h"
#include "server/listening_socket.h"
#include "server/request_filter.h"
#include "server/server_options.h"
#include "supervisor/model_host.h"
#include "telemetry/registry.h"

namespace llama_gpu::server {

// What a Server works with; all of it outlives the server.
struct ServerParts {
  supervisor::ModelHost& host;
  telemetry::Registry& metrics;
  Assets assets = {};
  plugins::PluginManager* plugins = nullptr;       // none: there are no plugins
  RequestFilter* filter = nullptr;                 // none: requests are answered as they come
  std::vector<plugins::LayerReport> sandbox = {};  // what this machine can hold plugins to
};

// The HTTP API and the dashboard, listening from start() to drain(). Thread-safe.
class Server {
 public:
  // Listens on `socket`, which was opened with the same options. Sets SIGPIPE to be ignored in this process.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, ServerParts parts,
                                               ListeningSocket socket);
  // Opens the socket, too: errors of ListeningSocket::open.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, ServerParts parts);
  // drain(0) where that was not called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // What it listens on: also where the options left the choice to the system.
  uint16_t port() const;

  // Is not ready from now on and begins no new answers; running ones may go on for `longest`, then they end
  // with kShuttingDown. Blocks until every connection is closed. The first call counts.
  void drain(std::chrono::milliseconds longest);
  // Ends what drain() waits for: running answers get their error event, then connections are closed. For
  // another thread than that of drain().
  void end_answers();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace llama_gpu::server
