// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "app/plugin_admin.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

using Json = PluginAdmin::Json;

// Ids need no more than this: a person may type anything.
std::string percent_encoded(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          c == '-' || c == '.' || c == '_';
    if (is_plain) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return encoded;
}

Result<Json> document_of(const std::string& body) {
  Json document = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (document.is_object()) return document;
  return Error{ErrorCode::kProtocolError, "the server's answer is not a JSON object",
               "is it a llama-gpu server?"};
}

}  // namespace

Result<Json> RemotePlugins::ask(std::string_view path, std::string body) {
  TRY(const std::string answer, call_server(http_, server_, path, std::move(body)));
  return document_of(answer);
}

Result<Json> RemotePlugins::info(const std::string& id) {
  return ask("/admin/plugins/" + percent_encoded(id));
}

Result<Json> RemotePlugins::change_by(const plugins::PluginChange& change, bool is_dry_run) {
  Json body = {{"action", plugin_change_name(change.kind)}};
  if (!change.plugin.empty()) body["plugin"] = repair_utf8(change.plugin);
  if (!change.source.empty()) body["source"] = repair_utf8(change.source);
  if (!change.config.empty()) body["config"] = Json::parse(change.config, nullptr, false);
  if (change.generation) body["generation"] = *change.generation;
  if (change.allows_unsigned) body["allow_unsigned"] = true;
  if (is_dry_run) body["dry_run"] = true;
  return ask("/admin/plugins/changes", body.dump());
}

Status RemotePlugins::events(bool follow, const std::function<bool(const Json& event)>& on_event) {
  if (follow) {
    return stream_events(http_, server_, "/admin/plugin-events", "", [&](std::string_view data) {
      const Json event = Json::parse(data, nullptr, /*allow_exceptions=*/false);
      return !event.is_object() || on_event(event);
    });
  }
  TRY(const Json document, ask("/admin/plugin-events"));
  const auto events = document.find("events");
  if (events == document.end() || !events->is_array()) return {};
  for (const Json& event : *events) {
    if (!on_event(event)) break;
  }
  return {};
}

}  // namespace llama_gpu::app
