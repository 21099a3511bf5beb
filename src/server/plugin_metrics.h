// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "plugins/plugin_manager.h"
#include "telemetry/registry.h"

namespace llama_gpu::server {

// Sets what is read of plugins rather than counted, for Registry::on_collect. `plugins` outlives it. A plugin
// that is gone is in no state any more.
std::function<void(telemetry::Registry&)> plugin_collector(const plugins::PluginManager& plugins);

// Counts rollbacks until the token is destroyed. `metrics` outlives it.
std::shared_ptr<void> count_plugin_events(plugins::PluginManager& plugins, telemetry::Registry& metrics);

}  // namespace llama_gpu::server
