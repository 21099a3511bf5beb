// SPDX-License-Identifier: Apache-2.0
#include "plugins/manifest.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace llama_gpu::plugins {
namespace {

constexpr size_t kMaxIdPartBytes = 39;

// [a-z0-9][a-z0-9-]{0,38}
bool is_id_part(std::string_view part) {
  return !part.empty() && part.size() <= kMaxIdPartBytes && part[0] != '-' &&
         part.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

}  // namespace

std::string_view capability_name(Capability capability) {
  constexpr std::array<std::string_view, 2> kNames = {"request_filter", "event_listener"};
  return kNames[static_cast<size_t>(capability)];
}

std::string_view failure_policy_name(FailurePolicy policy) {
  constexpr std::array<std::string_view, 2> kNames = {"open", "closed"};
  return kNames[static_cast<size_t>(policy)];
}

bool is_plugin_id(std::string_view id) {
  const auto [publisher, name] = split_once(id, '/');
  return is_id_part(publisher) && is_id_part(name);
}

Status check_host_api(const PluginManifest& manifest, const Version& host_api) {
  if (host_api >= manifest.host_api_min && host_api <= manifest.host_api_max) return {};
  return Error{ErrorCode::kPluginIncompatible,
               manifest.id + " " + to_string(manifest.version) + " needs a host API from " +
                   to_string(manifest.host_api_min) + " to " + to_string(manifest.host_api_max) +
                   ", this host's is " + to_string(host_api),
               host_api < manifest.host_api_min
                   ? "update the server, or install an older version of the plugin"
                   : "install a newer version of the plugin"};
}

}  // namespace llama_gpu::plugins
