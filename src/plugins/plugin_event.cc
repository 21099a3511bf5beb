// SPDX-License-Identifier: Apache-2.0
#include "plugins/plugin_event.h"

#include <nlohmann/json.hpp>

namespace llama_gpu::plugins {

std::string_view plugin_state_name(PluginState state) {
  switch (state) {
    case PluginState::kDiscovered:
      return "discovered";
    case PluginState::kValidated:
      return "validated";
    case PluginState::kResolved:
      return "resolved";
    case PluginState::kStarting:
      return "starting";
    case PluginState::kProbing:
      return "probing";
    case PluginState::kActive:
      return "active";
    case PluginState::kDraining:
      return "draining";
    case PluginState::kStopped:
      return "stopped";
    case PluginState::kFailed:
      return "failed";
    case PluginState::kQuarantined:
      return "quarantined";
  }
  return "";
}

std::string to_json(const PluginEvent& event) {
  const nlohmann::ordered_json json = {{"sequence", event.sequence},
                                       {"unix_milliseconds", event.unix_milliseconds},
                                       {"plugin", event.plugin},
                                       {"version", event.version},
                                       {"from", plugin_state_name(event.from)},
                                       {"to", plugin_state_name(event.to)},
                                       {"is_before", event.is_before},
                                       {"generation", event.generation},
                                       {"reason_code", event.reason_code},
                                       {"reason", event.reason}};
  // What a plugin said of itself need not be UTF-8.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace llama_gpu::plugins
