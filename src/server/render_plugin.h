// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugins/plugin_manager.h"

namespace llama_gpu::server {

// What GET /admin/plugins shows.
struct PluginListing {
  uint64_t generation = 0;
  std::vector<plugins::LayerReport> sandbox;  // of this machine
  std::vector<plugins::PluginStatus> plugins;
  std::vector<plugins::QuarantinedPackage> quarantined;
};

// Bodies of answers about plugins, as api/openapi.yaml describes them.
std::string render_plugin_list(const PluginListing& listing);
std::string render_plugin(const plugins::PluginStatus& status);
std::string render_plugin_health(const plugins::PluginStatus& status);
// `generation`: none after a dry run.
std::string render_plugin_change(const plugins::ChangePlan& plan,
                                 const std::optional<plugins::Generation>& generation);
// `generations`: oldest first.
std::string render_plugin_generations(const std::vector<plugins::Generation>& generations);
std::string render_plugin_events(const std::vector<plugins::PluginEvent>& events);

}  // namespace llama_gpu::server
