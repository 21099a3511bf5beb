// SPDX-License-Identifier: Apache-2.0
#include "plugins/generation_json.h"

#include <algorithm>
#include <functional>

#include "base/sha256.h"
#include "base/strings.h"
#include "plugins/json_text.h"
#include "supervisor/wire_json.h"

namespace llama_gpu::supervisor {

template <>
struct WireFields<plugins::PluginPermissions> {
  static constexpr auto value = std::tuple{field("read", &plugins::PluginPermissions::read_paths),
                                           field("write", &plugins::PluginPermissions::write_paths),
                                           field("network", &plugins::PluginPermissions::network)};
};

template <>
struct WireFields<plugins::InstalledPlugin> {
  using T = plugins::InstalledPlugin;
  static constexpr auto value =
      std::tuple{field("id", &T::id),           field("version", &T::version),
                 field("digest", &T::digest),   field("enabled", &T::is_enabled),
                 field("config", &T::config),   field("permissions", &T::permissions),
                 field("pinned", &T::is_pinned)};
};

template <>
struct WireFields<plugins::Generation> {
  using T = plugins::Generation;
  static constexpr auto value =
      std::tuple{field("number", &T::number), field("created_unix_seconds", &T::created_unix_seconds),
                 field("reason", &T::reason), field("parent", &T::parent), field("plugins", &T::plugins)};
};

template <>
struct WireFields<plugins::QuarantinedPackage> {
  using T = plugins::QuarantinedPackage;
  static constexpr auto value =
      std::tuple{field("digest", &T::digest), field("id", &T::id), field("version", &T::version),
                 field("reason", &T::reason), field("since_unix_seconds", &T::since_unix_seconds)};
};

}  // namespace llama_gpu::supervisor

namespace llama_gpu::plugins {
namespace {

// Of both files. A larger one is of a program that knows more.
constexpr int64_t kStoreFormat = 1;

Error bad_store_file(std::string_view file_name, std::string_view why) {
  return Error{ErrorCode::kPluginStoreInvalid, "'" + escape_line(file_name) + "': " + std::string(why)};
}

template <typename T>
std::string encode_store_file(std::string_view key, const T& value) {
  Json json = {{"format", kStoreFormat}};
  json[std::string(key)] = supervisor::write_json(value);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

template <typename T>
Result<T> decode_store_file(std::string_view text, std::string_view file_name, std::string_view key) {
  TRY(const Json json, parse_json_text(text, file_name, ErrorCode::kPluginStoreInvalid));
  int64_t format = 0;
  if (!json.is_object()) return bad_store_file(file_name, "not a JSON object");
  if (const Status status = supervisor::read_json_member(json, "format", format); !status.ok()) {
    return bad_store_file(file_name, status.error().message);
  }
  if (format != kStoreFormat) {
    return bad_store_file(file_name, "format " + std::to_string(format) + ", expected " +
                                         std::to_string(kStoreFormat) + ": use the program that wrote it");
  }
  T value;
  if (const Status status = supervisor::read_json_member(json, key, value); !status.ok()) {
    return bad_store_file(file_name, status.error().message);
  }
  return value;
}

Status check_identity(const std::string& id, const std::string& version, const std::string& digest) {
  const auto bad = [](std::string_view what, const std::string& value) {
    return Error{ErrorCode::kInvalidValue, "'" + escape_line(value, 200) + "' is not " + std::string(what)};
  };
  if (!is_plugin_id(id)) return bad("a plugin's id", id);
  if (!parse_version(version).ok()) return bad("a version", version);
  if (!is_sha256(digest) || to_lower(digest) != digest) return bad("a package's digest", digest);
  return {};
}

}  // namespace

std::string encode_generation(const Generation& generation) {
  return encode_store_file("generation", generation);
}

Result<Generation> decode_generation(std::string_view json, std::string_view file_name) {
  TRY(Generation generation, decode_store_file<Generation>(json, file_name, "generation"));
  if (const Status status = check_installed_plugins(generation.plugins); !status.ok()) {
    return bad_store_file(file_name, status.error().message);
  }
  return generation;
}

std::string encode_quarantine(const std::vector<QuarantinedPackage>& packages) {
  return encode_store_file("packages", packages);
}

Result<std::vector<QuarantinedPackage>> decode_quarantine(std::string_view json, std::string_view file_name) {
  TRY(auto packages, decode_store_file<std::vector<QuarantinedPackage>>(json, file_name, "packages"));
  for (const QuarantinedPackage& package : packages) {
    const Status status = check_quarantined_package(package);
    if (!status.ok()) return bad_store_file(file_name, status.error().message);
  }
  return packages;
}

Status check_installed_plugins(const std::vector<InstalledPlugin>& plugins) {
  for (const InstalledPlugin& plugin : plugins) {
    TRY_STATUS(check_identity(plugin.id, plugin.version, plugin.digest));
    if (!check_json_object(plugin.config, "config").ok()) {
      return Error{ErrorCode::kInvalidValue, "the config of '" + plugin.id + "' is not a JSON object"};
    }
    const auto is_text = [](const std::string& path) { return is_valid_utf8(path); };
    if (!std::ranges::all_of(plugin.permissions.read_paths, is_text) ||
        !std::ranges::all_of(plugin.permissions.write_paths, is_text)) {
      return Error{ErrorCode::kInvalidValue, "a permission of '" + plugin.id + "' is not UTF-8"};
    }
  }
  const auto unordered =
      std::ranges::adjacent_find(plugins, std::ranges::greater_equal(), &InstalledPlugin::id);
  if (unordered == plugins.end()) return {};
  return Error{ErrorCode::kInvalidValue, "'" + unordered->id + "' stands twice or out of order"};
}

Status check_quarantined_package(const QuarantinedPackage& package) {
  return check_identity(package.id, package.version, package.digest);
}

}  // namespace llama_gpu::plugins
