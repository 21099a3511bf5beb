// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plugins/generation_store.h"
#include "plugins/plugin_manager.h"

namespace llama_gpu::plugins {

// What a change comes to: the set of plugins as it shall be.
struct PlannedChange {
  std::vector<InstalledPlugin> plugins = {};
  std::set<std::string> restarts = {};  // plugins that are to run anew though nothing of them changes
  std::string reason = {};              // of the new generation: "update acme/guard 1.0.0 to 1.1.0"
  std::string reason_code = {};         // of the events
  ChangePlan plan = {};
  std::optional<PluginPackage> package = {};          // to be added to the store
  std::optional<uint64_t> roll_back_to = {};          // the generation that has these plugins
  std::map<std::string, PluginManifest> manifests{};  // by digest, of all that can be read
};

// Plans kInstall to kRollback; kRelease makes no new set. Reads the disk, changes nothing. Errors as
// PluginManager::apply, but for kPluginUnsigned: that is a warning here.
Result<PlannedChange> plan_change(const GenerationStore& store, const PluginChange& change,
                                  const Version& host_version);

// The current set with one plugin replaced: what an automatic rollback comes to.
PlannedChange plan_replacement(const GenerationStore& store, const InstalledPlugin& plugin,
                               std::string reason);

// Plugins that `planned` starts, and those that it ends for good, by id.
struct SetDifference {
  std::vector<InstalledPlugin> starts;
  std::vector<InstalledPlugin> stops;
};
SetDifference difference(const Generation& current, const PlannedChange& planned);

// kPluginNotFound naming the nearest of `known`.
Error plugin_not_found(std::string_view id, const std::vector<std::string>& known);

}  // namespace llama_gpu::plugins
