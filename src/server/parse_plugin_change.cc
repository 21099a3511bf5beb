// SPDX-License-Identifier: Apache-2.0
#include "server/parse_plugin_change.h"

#include <array>
#include <utility>

#include "base/strings.h"
#include "server/json_reader.h"
#include "server/request_fields.gen.h"

namespace llama_gpu::server {
namespace {

using Kind = plugins::PluginChange::Kind;

// Which fields an action takes beside those that all take.
struct ActionFields {
  Kind kind;
  std::string_view needed;    // "" where it needs none
  std::string_view needed_2;  // the same
  std::string_view optional;
};

constexpr std::array kActions = {
    ActionFields{Kind::kInstall, "source", "", ""},         ActionFields{Kind::kEnable, "plugin", "", ""},
    ActionFields{Kind::kDisable, "plugin", "", ""},         ActionFields{Kind::kReload, "plugin", "", ""},
    ActionFields{Kind::kConfigure, "plugin", "config", ""}, ActionFields{Kind::kRemove, "plugin", "", ""},
    ActionFields{Kind::kRollback, "", "", "generation"},    ActionFields{Kind::kRelease, "plugin", "", ""},
};

Result<ActionFields> find_action(const Fields& fields) {
  const std::string name = fields.string("action");
  std::string known;
  for (const ActionFields& action : kActions) {
    if (plugins::plugin_change_name(action.kind) == name) return action;
    known += (known.empty() ? "" : ", ") + std::string(plugins::plugin_change_name(action.kind));
  }
  return invalid_value("action", *fields.find("action"), "one of " + known);
}

Status check_fields(const Fields& fields, const ActionFields& action) {
  for (const std::string_view needed : {action.needed, action.needed_2}) {
    if (!needed.empty() && fields.find(needed) == nullptr) return missing_parameter(std::string(needed));
  }
  for (const std::string_view name : {"plugin", "source", "config", "generation"}) {
    const bool is_taken = name == action.needed || name == action.needed_2 || name == action.optional;
    if (!is_taken && fields.find(name) != nullptr) {
      const std::string kind(plugins::plugin_change_name(action.kind));
      return Error{ErrorCode::kInvalidValue, "'" + std::string(name) + "' has no meaning for '" + kind + "'",
                   "leave it out", std::string(name)};
    }
  }
  const Json* const config = fields.find("config");
  if (config != nullptr && !config->is_object()) return invalid_value("config", *config, "an object");
  const std::string source = fields.string("source");
  if (action.kind == Kind::kInstall && !source.starts_with('/')) {
    return invalid_value("source", *fields.find("source"), "an absolute path on the server's machine");
  }
  return {};
}

}  // namespace

Result<PluginChangeCall> parse_plugin_change(std::string_view body) {
  TRY(const Json document, read_json(body));
  TRY(const Fields fields, Fields::check(document, kChangePluginsFields));
  TRY(const ActionFields action, find_action(fields));
  TRY_STATUS(check_fields(fields, action));
  PluginChangeCall call;
  call.change = {.kind = action.kind,
                 .plugin = fields.string("plugin"),
                 .source = fields.string("source"),
                 .allows_unsigned = fields.boolean("allow_unsigned", false)};
  if (const Json* config = fields.find("config")) call.change.config = config->dump();
  if (const auto generation = fields.integer("generation")) {
    call.change.generation = static_cast<uint64_t>(*generation);
  }
  call.is_dry_run = fields.boolean("dry_run", false);
  call.ignored_fields = fields.ignored();
  return call;
}

Result<uint64_t> parse_event_position(std::optional<std::string_view> last_event_id, std::string_view query) {
  std::string_view text = "0";
  for (const std::string_view part : split(query, '&')) {
    const auto [name, value] = split_once(part, '=');
    if (name == "after") text = value;
  }
  const std::string param = last_event_id ? "Last-Event-ID" : "after";
  if (last_event_id) text = *last_event_id;
  const auto position = parse_integer(text);
  if (!position || *position < 0) {
    return Error{ErrorCode::kInvalidValue,
                 "'" + param + "' is '" + escape_line(text, 40) + "', expected the sequence of an event", "",
                 param};
  }
  return static_cast<uint64_t>(*position);
}

}  // namespace llama_gpu::server
