// SPDX-License-Identifier: Apache-2.0
// plugin.toml. Alone in its file because toml++ takes seconds to compile.
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <sstream>

#include "base/strings.h"
#include "plugins/json_text.h"
#include "plugins/manifest.h"
#include "plugins/package_files.h"

namespace llama_gpu::plugins {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kTiB = int64_t{1} << 40;
constexpr int64_t kMaxTimeoutMs = 600'000;
constexpr size_t kMaxSummaryBytes = 200;
constexpr size_t kMaxLicenseBytes = 100;
constexpr size_t kMaxArgumentBytes = 4096;
constexpr size_t kMaxListItems = 64;
constexpr int kMaxConfigDepth = 32;
// Each may nest a table deeper, and toml++ frees tables by recursion.
constexpr std::ptrdiff_t kMaxDots = 4000;

// A value of the manifest with all that its error needs.
struct ManifestNode {
  const toml::node& node;
  std::string_view file_name;
  std::string key;  // "limits.memory"
};

std::string place(std::string_view file_name, const toml::source_position& at) {
  return std::string(file_name) + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": ";
}

// A short value as it was written, else its type.
std::string shown_value(const toml::node& node) {
  if (const auto* text = node.as_string()) return "'" + escape_line(text->get(), 120) + "'";
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  if (node.is_table()) return "a table";
  if (node.is_array()) return "a list";
  return node.is_floating_point() ? "a decimal number" : "a date or time";
}

Error bad_value(const ManifestNode& at, std::string_view expected) {
  return Error{ErrorCode::kPluginInvalid,
               place(at.file_name, at.node.source().begin) + "'" + at.key + "' is " + shown_value(at.node) +
                   ", expected " + std::string(expected),
               "", at.key};
}

Error unknown_manifest_key(std::string_view where, std::string_view key, std::string_view suggestion) {
  return Error{ErrorCode::kPluginInvalid,
               std::string(where) + "'" + escape_line(key, 200) + "' is not known" + std::string(suggestion),
               "docs/plugins/manifest.md lists all keys", escape_line(key, 200)};
}

// Whether a terminal shows it as it is.
bool is_one_line(std::string text) {
  std::erase(text, '\\');
  return escape_line(text, std::string::npos) == text;
}

// One line of at most `max_bytes`.
Result<std::string> read_text(const ManifestNode& at, size_t max_bytes) {
  const auto* const text = at.node.as_string();
  if (text == nullptr || text->get().size() > max_bytes || !is_one_line(text->get())) {
    return bad_value(at, "one line of text of at most " + std::to_string(max_bytes) + " bytes");
  }
  return text->get();
}

Status read_text_into(const ManifestNode& at, size_t max_bytes, std::string& value) {
  TRY(value, read_text(at, max_bytes));
  return {};
}

Status read_boolean(const ManifestNode& at, bool& value) {
  const auto* const truth = at.node.as_boolean();
  if (truth == nullptr) return bad_value(at, "true or false");
  value = truth->get();
  return {};
}

struct IntegerBounds {
  int64_t min = 0, max = 0;
};

Result<int64_t> read_integer(const ManifestNode& at, IntegerBounds bounds) {
  const auto* const number = at.node.as_integer();
  if (number == nullptr || number->get() < bounds.min || number->get() > bounds.max) {
    return bad_value(at, "a number from " + std::to_string(bounds.min) + " to " + std::to_string(bounds.max));
  }
  return number->get();
}

Status read_integer_into(const ManifestNode& at, IntegerBounds bounds, int64_t& value) {
  TRY(value, read_integer(at, bounds));
  return {};
}

Status read_milliseconds(const ManifestNode& at, IntegerBounds bounds, std::chrono::milliseconds& value) {
  TRY(const int64_t number, read_integer(at, bounds));
  value = std::chrono::milliseconds(number);
  return {};
}

// Bytes, also as "256MiB".
Status read_size(const ManifestNode& at, IntegerBounds bounds, int64_t& value) {
  std::optional<int64_t> size;
  if (const auto* text = at.node.as_string()) size = parse_size(text->get());
  if (const auto* number = at.node.as_integer()) size = number->get();
  if (!size || *size < bounds.min || *size > bounds.max) {
    return bad_value(at, "a size such as \"256MiB\", from " + std::to_string(bounds.min) + " to " +
                             std::to_string(bounds.max) + " bytes");
  }
  value = *size;
  return {};
}

Result<Version> read_version(const ManifestNode& at) {
  const auto* const text = at.node.as_string();
  if (text == nullptr) return bad_value(at, "a version such as \"1.2.0\"");
  Result<Version> version = parse_version(text->get());
  if (!version.ok()) return bad_value(at, "a version such as \"1.2.0\" (" + version.error().message + ")");
  return version;
}

Status read_version_into(const ManifestNode& at, Version& value) {
  TRY(value, read_version(at));
  return {};
}

// Calls `read` with each item of a list.
template <typename Read>
Status read_each(const ManifestNode& at, Read&& read) {
  const auto* const list = at.node.as_array();
  if (list == nullptr || list->size() > kMaxListItems) {
    return bad_value(at, "a list of at most " + std::to_string(kMaxListItems) + " values");
  }
  for (const toml::node& item : *list) TRY_STATUS(read(ManifestNode{item, at.file_name, at.key}));
  return {};
}

Status read_id(const ManifestNode& at, PluginManifest& manifest) {
  const auto* const text = at.node.as_string();
  if (text == nullptr || !is_plugin_id(text->get())) {
    return bad_value(at, "\"publisher/name\", each of at most 39 letters a-z, digits and '-'");
  }
  manifest.id = text->get();
  return {};
}

Status read_command(const ManifestNode& at, PluginManifest& manifest) {
  TRY_STATUS(read_each(at, [&](const ManifestNode& item) -> Status {
    TRY(std::string argument, read_text(item, kMaxArgumentBytes));
    manifest.command.push_back(std::move(argument));
    return {};
  }));
  if (manifest.command.empty() || !is_package_path(manifest.command.front())) {
    return bad_value(at,
                     "a program of the package, such as \"bin/guard\", or an interpreter, and its arguments");
  }
  return {};
}

Status read_capability_list(const ManifestNode& at, PluginManifest& manifest) {
  constexpr std::array kAll = {Capability::kRequestFilter, Capability::kEventListener};
  std::array<std::string_view, kAll.size()> names;
  std::ranges::transform(kAll, names.begin(), capability_name);
  TRY_STATUS(read_each(at, [&](const ManifestNode& item) -> Status {
    const auto* const text = item.node.as_string();
    const auto* const found = std::ranges::find(names, text == nullptr ? "" : text->get());
    if (found == names.end()) {
      return bad_value(
          item, "one of " + join(names, ", ") + (text == nullptr ? "" : did_you_mean(text->get(), names)));
    }
    const Capability capability = kAll[static_cast<size_t>(found - names.begin())];
    if (std::ranges::find(manifest.capabilities, capability) != manifest.capabilities.end()) {
      return bad_value(item, "each capability once");
    }
    manifest.capabilities.push_back(capability);
    return {};
  }));
  if (manifest.capabilities.empty()) return bad_value(at, "at least one of " + join(names, ", "));
  return {};
}

Status read_failure_policy(const ManifestNode& at, PluginManifest& manifest) {
  for (const FailurePolicy policy : {FailurePolicy::kOpen, FailurePolicy::kClosed}) {
    const auto* const text = at.node.as_string();
    if (text == nullptr || text->get() != failure_policy_name(policy)) continue;
    manifest.failure_policy = policy;
    return {};
  }
  return bad_value(at, "\"open\" or \"closed\"");
}

Status read_schema_file(const ManifestNode& at, PluginManifest& manifest) {
  TRY(manifest.config_schema_file, read_text(at, kMaxArgumentBytes));
  if (is_package_path(manifest.config_schema_file)) return {};
  return bad_value(at, "the path of a file in the package");
}

Status read_tested_with(const ManifestNode& at, PluginManifest& manifest) {
  return read_each(at, [&](const ManifestNode& item) -> Status {
    TRY(const Version version, read_version(item));
    manifest.tested_with.push_back(to_string(version));
    return {};
  });
}

// Absolute, without anything that would make another path look like it.
Status read_host_paths(const ManifestNode& at, std::vector<std::string>& paths) {
  return read_each(at, [&](const ManifestNode& item) -> Status {
    const auto* const text = item.node.as_string();
    const std::string_view path = text == nullptr ? std::string_view() : text->get();
    if (!path.starts_with('/') || !is_package_path(path.substr(1))) {
      return bad_value(item, "an absolute path below '/' without '.', '..', '//' or a '/' at its end");
    }
    paths.emplace_back(path);
    return {};
  });
}

// How one key of a section is read.
struct ManifestKey {
  std::string_view name;
  Status (*read)(const ManifestNode& at, PluginManifest& manifest);
  bool is_required = false;
};

constexpr ManifestKey kPluginKeys[] = {
    {"id", read_id, true},
    {"version", [](const ManifestNode& at, PluginManifest& m) { return read_version_into(at, m.version); },
     true},
    {"summary", [](const ManifestNode& at,
                   PluginManifest& m) { return read_text_into(at, kMaxSummaryBytes, m.summary); }},
    {"license", [](const ManifestNode& at,
                   PluginManifest& m) { return read_text_into(at, kMaxLicenseBytes, m.license); }},
    {"command", read_command, true},
    {"capabilities", read_capability_list, true},
    {"failure_policy", read_failure_policy},
    {"order",
     [](const ManifestNode& at, PluginManifest& m) { return read_integer_into(at, {0, 10'000}, m.order); }},
    {"required", [](const ManifestNode& at, PluginManifest& m) { return read_boolean(at, m.required); }},
    {"config_schema_file", read_schema_file},
};

constexpr ManifestKey kHostApiKeys[] = {
    {"min", [](const ManifestNode& at, PluginManifest& m) { return read_version_into(at, m.host_api_min); },
     true},
    {"max", [](const ManifestNode& at, PluginManifest& m) { return read_version_into(at, m.host_api_max); },
     true},
    {"tested_with", read_tested_with},
};

constexpr ManifestKey kPermissionKeys[] = {
    {"read",
     [](const ManifestNode& at, PluginManifest& m) { return read_host_paths(at, m.permissions.read_paths); }},
    {"write", [](const ManifestNode& at,
                 PluginManifest& m) { return read_host_paths(at, m.permissions.write_paths); }},
    {"network",
     [](const ManifestNode& at, PluginManifest& m) { return read_boolean(at, m.permissions.network); }},
};

constexpr ManifestKey kLimitKeys[] = {
    {"memory", [](const ManifestNode& at,
                  PluginManifest& m) { return read_size(at, {16 * kMiB, kTiB}, m.limits.memory_bytes); }},
    {"file_size", [](const ManifestNode& at,
                     PluginManifest& m) { return read_size(at, {0, kTiB}, m.limits.file_size_bytes); }},
    {"open_files", [](const ManifestNode& at,
                      PluginManifest& m) { return read_integer_into(at, {8, 65'536}, m.limits.open_files); }},
    {"processes", [](const ManifestNode& at,
                     PluginManifest& m) { return read_integer_into(at, {1, 4096}, m.limits.processes); }},
    {"start_timeout_ms",
     [](const ManifestNode& at, PluginManifest& m) {
       return read_milliseconds(at, {1, kMaxTimeoutMs}, m.limits.start_timeout);
     }},
    {"call_timeout_ms",
     [](const ManifestNode& at, PluginManifest& m) {
       return read_milliseconds(at, {1, kMaxTimeoutMs}, m.limits.call_timeout);
     }},
    {"concurrent_calls",
     [](const ManifestNode& at, PluginManifest& m) {
       return read_integer_into(at, {1, 4096}, m.limits.concurrent_calls);
     }},
};

template <size_t kSize>
Status read_keys(const ManifestNode& at, const ManifestKey (&keys)[kSize], PluginManifest& manifest) {
  const toml::table& table = *at.node.as_table();
  std::array<std::string_view, kSize> names;
  std::ranges::transform(keys, names.begin(), &ManifestKey::name);
  for (const auto& [name, node] : table) {
    const auto* const key = std::ranges::find(keys, name.str(), &ManifestKey::name);
    const std::string path = at.key + "." + std::string(name.str());
    if (key == std::end(keys)) {
      return unknown_manifest_key(place(at.file_name, name.source().begin), path,
                                  did_you_mean(name.str(), names));
    }
    TRY_STATUS(key->read({node, at.file_name, path}, manifest));
  }
  for (const ManifestKey& key : keys) {
    if (!key.is_required || table.contains(key.name)) continue;
    return Error{ErrorCode::kPluginInvalid, place(at.file_name, at.node.source().begin) + "[" + at.key +
                                                "] has no '" + std::string(key.name) +
                                                "', which is required"};
  }
  return {};
}

Status read_plugin_ranges(const ManifestNode& at, std::vector<PluginDependency>& ranges) {
  for (const auto& [name, node] : *at.node.as_table()) {
    const ManifestNode item{node, at.file_name, at.key + "." + escape_line(name.str(), 100)};
    if (!is_plugin_id(name.str())) return bad_value(item, "a key of the form \"publisher/name\"");
    const auto* const text = node.as_string();
    if (text == nullptr) return bad_value(item, "a version range such as \"^1.2\"");
    Result<VersionRange> range = VersionRange::parse(text->get());
    if (!range.ok()) {
      return bad_value(item, "a version range such as \"^1.2\" (" + range.error().message + ")");
    }
    ranges.push_back({std::string(name.str()), *std::move(range)});
  }
  return {};
}

Result<Json> json_of(const ManifestNode& at, int depth);

Result<Json> json_of_list(const ManifestNode& at, int depth) {
  Json list = Json::array();
  for (const toml::node& item : *at.node.as_array()) {
    TRY(Json value, json_of({item, at.file_name, at.key}, depth + 1));
    list.push_back(std::move(value));
  }
  return list;
}

Result<Json> json_of_table(const ManifestNode& at, int depth) {
  Json object = Json::object();
  for (const auto& [name, node] : *at.node.as_table()) {
    const std::string key(name.str());
    TRY(Json value, json_of({node, at.file_name, at.key + "." + escape_line(key, 100)}, depth + 1));
    object[key] = std::move(value);
  }
  return object;
}

// Dates and times become text.
Result<Json> json_of(const ManifestNode& at, int depth) {
  if (depth > kMaxConfigDepth) {
    return bad_value(at, "at most " + std::to_string(kMaxConfigDepth) + " levels in one another");
  }
  const toml::node& node = at.node;
  if (node.is_table()) return json_of_table(at, depth);
  if (node.is_array()) return json_of_list(at, depth);
  if (const auto* text = node.as_string()) return Json(text->get());
  if (const auto* number = node.as_integer()) return Json(number->get());
  if (const auto* truth = node.as_boolean()) return Json(truth->get());
  if (const auto* number = node.as_floating_point()) {
    if (!std::isfinite(number->get())) return bad_value(at, "a finite number: JSON has no other");
    return Json(number->get());
  }
  std::ostringstream text;
  node.visit([&](const auto& value) {
    if constexpr (toml::is_value<decltype(value)>) text << value.get();
  });
  return Json(text.str());
}

Status read_json(const ManifestNode& at, std::string& value) {
  TRY(const Json json, json_of(at, 0));
  value = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return {};
}

constexpr ManifestKey kSections[] = {
    {"plugin", [](const ManifestNode& at, PluginManifest& m) { return read_keys(at, kPluginKeys, m); }, true},
    {"host_api", [](const ManifestNode& at, PluginManifest& m) { return read_keys(at, kHostApiKeys, m); },
     true},
    {"dependencies",
     [](const ManifestNode& at, PluginManifest& m) { return read_plugin_ranges(at, m.dependencies); }},
    {"conflicts",
     [](const ManifestNode& at, PluginManifest& m) { return read_plugin_ranges(at, m.conflicts); }},
    {"permissions",
     [](const ManifestNode& at, PluginManifest& m) { return read_keys(at, kPermissionKeys, m); }},
    {"limits", [](const ManifestNode& at, PluginManifest& m) { return read_keys(at, kLimitKeys, m); }},
    {"config", [](const ManifestNode& at, PluginManifest& m) { return read_json(at, m.default_config); }},
    {"config_schema",
     [](const ManifestNode& at, PluginManifest& m) { return read_json(at, m.config_schema); }},
};

// What no key alone shows. REQUIRES: all required keys are there.
Status check_together(const toml::table& root, std::string_view file_name, const PluginManifest& manifest) {
  if (manifest.host_api_min > manifest.host_api_max) {
    const toml::node& max = *root["host_api"]["max"].node();
    return bad_value({max, file_name, "host_api.max"},
                     "at least host_api.min, " + to_string(manifest.host_api_min));
  }
  for (const std::string_view section : {"dependencies", "conflicts"}) {
    const toml::table* const table = root[section].as_table();
    if (table == nullptr || !table->contains(manifest.id)) continue;
    return bad_value({*table->get(manifest.id), file_name, std::string(section) + "." + manifest.id},
                     "other plugins than this one");
  }
  if (!manifest.config_schema_file.empty() && root.contains("config_schema")) {
    return bad_value({*root.get("config_schema"), file_name, "config_schema"},
                     "none, as plugin.config_schema_file names a file");
  }
  return {};
}

Result<PluginManifest> read_root(const toml::table& root, std::string_view file_name) {
  PluginManifest manifest;
  std::array<std::string_view, std::size(kSections)> names;
  std::ranges::transform(kSections, names.begin(), &ManifestKey::name);
  for (const auto& [name, node] : root) {
    const auto* const section = std::ranges::find(kSections, name.str(), &ManifestKey::name);
    if (section == std::end(kSections)) {
      return unknown_manifest_key(place(file_name, name.source().begin), name.str(),
                                  did_you_mean(name.str(), names));
    }
    const ManifestNode at{node, file_name, std::string(name.str())};
    if (!node.is_table()) return bad_value(at, "a table: [" + at.key + "]");
    TRY_STATUS(section->read(at, manifest));
  }
  for (const ManifestKey& section : kSections) {
    if (!section.is_required || root.contains(section.name)) continue;
    return Error{ErrorCode::kPluginInvalid, place(file_name, {1, 1}) + "there is no [" +
                                                std::string(section.name) + "], which is required"};
  }
  TRY_STATUS(check_together(root, file_name, manifest));
  return manifest;
}

}  // namespace

Result<PluginManifest> parse_manifest(std::string_view toml, std::string_view file_name) {
  const std::string name = escape_line(file_name);
  if (toml.size() > kMaxManifestBytes || std::ranges::count(toml, '.') > kMaxDots) {
    return Error{ErrorCode::kPluginInvalid, place(name, {1, 1}) + "the manifest has more than " +
                                                format_size(kMaxManifestBytes) + " or " +
                                                std::to_string(kMaxDots) + " dots"};
  }
  toml::table root;
  try {
    root = toml::parse(toml, std::string_view(name));
  } catch (const toml::parse_error& error) {
    return Error{ErrorCode::kPluginInvalid,
                 place(name, error.source().begin) + escape_line(error.description(), 300),
                 "the manifest is TOML: https://toml.io"};
  }
  return read_root(root, name);
}

}  // namespace llama_gpu::plugins
