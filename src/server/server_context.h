// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "plugins/plugin_manager.h"
#include "plugins/task_thread.h"
#include "server/access.h"
#include "server/assets.h"
#include "server/request_filter.h"
#include "server/server_options.h"
#include "supervisor/model_host.h"
#include "telemetry/registry.h"

namespace llama_gpu::server {

// What every handler works with. Thread-safe; outlives all exchanges.
struct ServerContext {
  const ServerOptions& options;
  supervisor::ModelHost& host;
  telemetry::Registry& metrics;
  Assets assets;
  const Clock& clock;
  AccessControl access;
  plugins::PluginManager* plugins = nullptr;       // none: they are switched off
  RequestFilter* filter = nullptr;                 // none: requests are answered as they come
  std::vector<plugins::LayerReport> sandbox = {};  // what this machine can hold plugins to
  std::atomic<bool> is_draining = false;           // no new generation; not ready
  std::atomic<int64_t> unfinished_body_bytes = 0;  // held by sessions whose request is coming in
  // Held for clients that read slowly; shared, because the host may let go of the last news when this is
  // gone.
  std::shared_ptr<std::atomic<int64_t>> waiting_news_bytes = std::make_shared<std::atomic<int64_t>>(0);
  plugins::TaskThread tasks = {};  // for what may block; ends before what is above
};

}  // namespace llama_gpu::server
