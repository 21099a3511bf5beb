// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "base/clock.h"
#include "server/access.h"
#include "server/assets.h"
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
  std::atomic<bool> is_draining = false;  // no new generation; not ready
};

}  // namespace llama_gpu::server
