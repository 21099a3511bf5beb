// SPDX-License-Identifier: Apache-2.0
#include "app/plugin_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/strings.h"

namespace llama_gpu::app {
namespace {

using Json = PluginAdmin::Json;

bool is_true(const Json& json, std::string_view name) {
  const Json& member = json_member(json, name);
  return member.is_boolean() && member.get<bool>();
}

int64_t integer_of(const Json& json, std::string_view name) {
  const Json& member = json_member(json, name);
  return member.is_number() ? member.get<int64_t>() : 0;
}

// The members of an array; none where it is not one.
std::vector<Json> items_of(const Json& json, std::string_view name) {
  const Json& member = json_member(json, name);
  return member.is_array() ? std::vector<Json>(member.begin(), member.end()) : std::vector<Json>();
}

std::string joined(const Json& list) {
  std::string text;
  if (!list.is_array()) return text;
  for (const Json& item : list) {
    text += text.empty() ? "" : ", ";
    text += escape_line(item.is_string() ? item.get<std::string>() : item.dump());
  }
  return text;
}

std::string permissions_text(const Json& permissions) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (const std::string read = joined(json_member(permissions, "read")); !read.empty()) add("read " + read);
  if (const std::string write = joined(json_member(permissions, "write")); !write.empty())
    add("write " + write);
  if (is_true(permissions, "network")) add("network");
  return text.empty() ? "none" : text;
}

using Row = std::vector<std::string>;

void print_table(std::ostream& out, const std::vector<Row>& rows) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.resize(line.find_last_not_of(' ') + 1);
    out << line << "\n";
  }
}

void print_field(std::ostream& out, std::string_view name, const std::string& text) {
  if (!text.empty()) out << fmt::format("{:<14}{}\n", name, text);
}

std::string milliseconds_text(const Json& plugin, std::string_view name) {
  const Json& member = json_member(plugin, name);
  return fmt::format("{:.3g} ms", member.is_number() ? member.get<double>() : 0.0);
}

std::string reason_text(const Json& json) {
  const std::string code = json_line(json, "reason_code"), reason = json_line(json, "reason");
  if (code.empty() || reason.empty()) return code + reason;
  return code + ": " + reason;
}

void print_layers(std::ostream& out, const Json& owner) {
  std::string on, off;
  for (const Json& layer : items_of(owner, "sandbox")) {
    const std::string reason = json_line(layer, "reason");
    const std::string text = json_line(layer, "layer") + (reason.empty() ? "" : " (" + reason + ")");
    std::string& list = is_true(layer, "is_active") ? on : off;
    list += (list.empty() ? "" : ", ") + text;
  }
  print_field(out, "sandbox", on);
  print_field(out, "NOT IN FORCE", off);
}

void print_manifest(std::ostream& out, const Json& manifest) {
  if (!manifest.is_object()) return;
  print_field(out, "summary", json_line(manifest, "summary"));
  print_field(out, "license", json_line(manifest, "license"));
  print_field(out, "capabilities", joined(json_member(manifest, "capabilities")));
  print_field(out, "on failure", json_line(manifest, "failure_policy"));
  print_field(out, "host API",
              json_line(manifest, "host_api_min") + " to " + json_line(manifest, "host_api_max"));
  const Json& needs = json_member(manifest, "dependencies");
  if (needs.is_object() && !needs.empty()) print_field(out, "needs", escape_line(needs.dump()));
  print_field(out, "asks for", permissions_text(json_member(manifest, "permissions")));
}

}  // namespace

const Json& json_member(const Json& json, std::string_view name) {
  static const Json null;
  if (!json.is_object()) return null;
  const auto found = json.find(name);
  return found == json.end() ? null : *found;
}

std::string json_line(const Json& json, std::string_view name) {
  const Json& member = json_member(json, name);
  if (member.is_null()) return "";
  return escape_line(member.is_string() ? member.get<std::string>() : member.dump());
}

void print_plugins(std::ostream& out, const Json& list) {
  std::vector<Row> rows = {{"NAME", "VERSION", "STATE", "CALLS", "FAILED", "P95", "MEMORY", "NOTES"}};
  for (const Json& plugin : items_of(list, "plugins")) {
    std::string notes = is_true(plugin, "is_signed") ? "" : "unsigned";
    const auto add = [&](const std::string& note) { notes += (notes.empty() ? "" : ", ") + note; };
    if (is_true(plugin, "is_required")) add("required");
    if (is_true(plugin, "is_circuit_open")) add("circuit open");
    // How it became active is in its events.
    const bool is_well =
        json_line(plugin, "state") == "active" && json_line(plugin, "reason_code") != "health_failing";
    if (const std::string reason = reason_text(plugin); !reason.empty() && !is_well) add(reason);
    rows.push_back({json_line(plugin, "id"), json_line(plugin, "version"), json_line(plugin, "state"),
                    json_line(plugin, "calls"), json_line(plugin, "failures"),
                    milliseconds_text(plugin, "p95_milliseconds"),
                    format_size(static_cast<uint64_t>(integer_of(plugin, "memory_bytes"))), notes});
  }
  if (rows.size() > 1) print_table(out, rows);
  for (const Json& package : items_of(list, "quarantined")) {
    out << "quarantined: " << json_line(package, "id") << " " << json_line(package, "version") << ": "
        << json_line(package, "reason") << "\n";
  }
}

void print_plugin(std::ostream& out, const Json& plugin) {
  print_field(out, "plugin",
              json_line(plugin, "id") + " " + json_line(plugin, "version") +
                  (is_true(plugin, "is_signed") ? "" : " (unsigned)"));
  print_field(out, "state", json_line(plugin, "state"));
  print_field(out, "reason", reason_text(plugin));
  print_field(out, "since", format_utc(integer_of(plugin, "since_unix_milliseconds")));
  print_manifest(out, json_member(plugin, "manifest"));
  print_field(out, "granted", permissions_text(json_member(plugin, "granted")));
  print_field(out, "config", json_line(plugin, "config"));
  print_field(out, "digest", json_line(plugin, "digest"));
  print_field(out, "process", json_line(plugin, "pid"));
  print_field(out, "restarts", json_line(plugin, "restarts"));
  print_field(out, "memory", format_size(static_cast<uint64_t>(integer_of(plugin, "memory_bytes"))));
  print_field(out, "calls",
              fmt::format("{}, {} failed, {} refused", json_line(plugin, "calls"),
                          json_line(plugin, "failures"), json_line(plugin, "rejections")));
  print_field(out, "latency",
              "p50 " + milliseconds_text(plugin, "p50_milliseconds") + ", p95 " +
                  milliseconds_text(plugin, "p95_milliseconds"));
  print_layers(out, plugin);
  for (const Json& line : items_of(plugin, "log_tail"))
    print_field(out, "log", escape_line(line.is_string() ? line.get<std::string>() : line.dump()));
}

void print_generations(std::ostream& out, const Json& list) {
  std::vector<Row> rows = {{"GENERATION", "MADE", "PLUGINS", "REASON"}};
  const int64_t current = integer_of(list, "current");
  for (const Json& generation : items_of(list, "generations")) {
    std::string plugins;
    for (const Json& plugin : items_of(generation, "plugins")) {
      plugins += (plugins.empty() ? "" : ", ") + json_line(plugin, "id") + " " +
                 json_line(plugin, "version") + (is_true(plugin, "is_enabled") ? "" : " (disabled)");
    }
    const int64_t number = integer_of(generation, "number");
    rows.push_back({std::to_string(number) + (number == current ? " *" : ""),
                    format_utc(integer_of(generation, "created") * 1000), plugins.empty() ? "-" : plugins,
                    json_line(generation, "reason")});
  }
  if (rows.size() > 1) print_table(out, rows);
}

void print_plan(std::ostream& out, const Json& result) {
  const Json& plan = json_member(result, "plan");
  const std::vector<Json> steps = items_of(plan, "steps");
  if (steps.empty()) out << "nothing to do\n";
  for (const Json& step : steps) {
    const std::string from = json_line(step, "from_version"), to = json_line(step, "to_version");
    const std::string versions = from.empty() || to.empty() || from == to ? (to.empty() ? from : to)
                                                                          : fmt::format("{} -> {}", from, to);
    out << json_line(step, "action") << " " << json_line(step, "plugin") << " " << versions << "\n";
  }
  for (const Json& permission : items_of(plan, "new_permissions"))
    out << "  grants: " << escape_line(permission.is_string() ? permission.get<std::string>() : "?") << "\n";
  for (const Json& warning : items_of(plan, "warnings"))
    out << "  warning: " << escape_line(warning.is_string() ? warning.get<std::string>() : "?") << "\n";
}

void print_event(std::ostream& out, const Json& event) {
  const std::string plugin = json_line(event, "plugin");
  const std::string reason = reason_text(event);
  const std::string from = json_line(event, "from"), to = json_line(event, "to");
  out << format_utc(integer_of(event, "unix_milliseconds")) << " #" << json_line(event, "sequence") << " "
      << (is_true(event, "is_before") ? "before: " : "");
  if (plugin.empty()) {
    out << "all plugins: generation " << json_line(event, "generation");
  } else {
    out << plugin << " " << json_line(event, "version") << " " << (from == to ? from : from + " -> " + to);
  }
  out << (reason.empty() ? "" : " (" + reason + ")") << std::endl;
}

}  // namespace llama_gpu::app
