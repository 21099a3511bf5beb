// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "plugins/manifest.h"
#include "text/chat_template.h"

// What host and plugin say to each other: JSON-RPC 2.0, one message per frame (supervisor/frame.h) on the
// inherited socket. docs/plugins/protocol.md describes it for people who write a plugin in another language.
namespace llama_gpu::plugins {

inline constexpr int kProtocolVersion = 1;

using Json = nlohmann::ordered_json;

// The text that a request filter sees, and may replace: a conversation, or plain text.
using FilterableText = std::variant<std::vector<text::ChatMessage>, std::string>;

// A request on its way through the filters.
struct FilterCall {
  std::string request_id;
  std::string model;
  FilterableText text;
};

// What a filter decided. nullopt in `replacement`: unchanged.
struct FilterVerdict {
  std::optional<FilterableText> replacement = {};
  std::optional<std::string> rejection = {};  // the reason, for the client
};

// Messages of the host. Each is a whole frame payload. `id` is that of the JSON-RPC request.
std::string encode_initialize(uint64_t id, const PluginManifest& manifest, std::string_view config_json,
                              std::string_view data_folder);
std::string encode_self_test(uint64_t id);
std::string encode_health(uint64_t id);
std::string encode_filter_request(uint64_t id, const FilterCall& call, int64_t deadline_milliseconds);
std::string encode_event(std::string_view event_json);  // notification
std::string encode_shutdown();                          // notification

// What a plugin answered to a request of the host, or said by itself.
struct PluginReply {
  uint64_t id = 0;
  Result<Json> result;  // kPluginFailed with the plugin's own message for an error object
};
struct PluginLogLine {
  std::string level;  // debug | info | warning | error
  std::string message;
};
using PluginMessage = std::variant<PluginReply, PluginLogLine>;

// Reads a message. kProtocolError for anything else: not JSON, nested over 64 levels, no id, an unknown
// method.
Result<PluginMessage> decode_plugin_message(std::string_view payload);

// Reads results. kProtocolError naming the field; kPluginIncompatible for another version of the protocol.
Status check_initialized(const Json& result, const PluginManifest& manifest);
Status check_self_test(const Json& result);  // kPluginFailed with its reason where it failed
Status check_health(const Json& result);     // kPluginFailed with its reason where it says so
Result<FilterVerdict> read_filter_verdict(const Json& result, const FilterCall& call);

}  // namespace llama_gpu::plugins
