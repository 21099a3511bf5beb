// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "plugins/manifest.h"

namespace llama_gpu::plugins {

// A plugin of a set, as far as others depend on it.
struct SetMember {
  std::string id;
  bool is_enabled = false;
  const PluginManifest* manifest = nullptr;  // null: it cannot be read
};

// Why a plugin cannot run in its set. The codes: dependency_missing, dependency_cycle, conflict.
struct DependencyProblem {
  std::string reason_code;
  std::string reason;
};

// What becomes of a set of plugins.
struct ResolvedSet {
  std::map<std::string, DependencyProblem> problems;  // by id; of enabled plugins only
  std::vector<std::string> order;  // enabled ones without a problem, each after those that it needs
};

// Looks for what each enabled plugin needs: another that is enabled, of a version in its range, and has no
// problem itself; and for what it must not meet.
ResolvedSet resolve_set(std::span<const SetMember> members);

}  // namespace llama_gpu::plugins
