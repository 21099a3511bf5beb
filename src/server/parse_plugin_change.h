// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/plugin_manager.h"

namespace llama_gpu::server {

// Body of POST /admin/plugins/changes.
struct PluginChangeCall {
  plugins::PluginChange change;
  bool is_dry_run = false;
  std::vector<std::string> ignored_fields;
};

// kInvalidValue or kMissingRequiredParameter, with param, also for a field that the action does not take: it
// would be lost. Else errors as those of parse_chat_completion.
Result<PluginChangeCall> parse_plugin_change(std::string_view body);

// The sequence after which a client wants events: Last-Event-ID, else `after` of the query, else 0.
// kInvalidValue for anything but a whole number.
Result<uint64_t> parse_event_position(std::optional<std::string_view> last_event_id, std::string_view query);

}  // namespace llama_gpu::server
