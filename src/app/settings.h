// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/environment.h"
#include "app/settings.gen.h"
#include "base/result.h"

// The settings of api/settings.yaml, from the weakest source to the strongest: default, file, environment,
// flag.
namespace llama_gpu::app {

enum class SettingSource : uint8_t { kDefault, kFile, kEnvironment, kFlag };

// Where a value came from: `where` is "/path/config.toml:3:8", "LLAMAGPU_PORT", "--port" or "" of a default.
struct SettingOrigin {
  SettingSource source = SettingSource::kDefault;
  std::string where = {};
};

// Every value with its origin. Paths are expanded.
struct LoadedSettings {
  Settings values;
  std::array<SettingOrigin, kSettings.size()> origins;
  std::string config_path;  // of the file that was read, or would have been
  bool has_config_file = false;
  std::vector<std::string> warnings;  // of what is odd and was ignored, one sentence each

  const SettingOrigin& origin(SettingId id) const { return origins[static_cast<size_t>(id)]; }
};

// A setting given on the command line.
struct SettingFlag {
  SettingId id;
  std::string text;
};

// What settings are loaded from.
struct SettingSources {
  Environment environment;
  std::string config_path = {};  // of --config; empty: $LLAMAGPU_CONFIG, else the user's own file
  std::vector<SettingFlag> flags = {};
};

// kConfigInvalid for a wrong name or value, saying where it stands, what was expected and the nearest right
// name (kInvalidValue where that is a flag); kFileNotFound for a file that was asked for and is not there.
Result<LoadedSettings> load_settings(const SettingSources& sources);

// One source after the other, for load_settings and its tests and fuzzer.
//
// `path` names the text in messages and origins.
Status apply_toml(LoadedSettings& settings, std::string_view text, std::string_view path);
Status apply_environment(LoadedSettings& settings, const Environment& environment);
Status apply_flags(LoadedSettings& settings, const std::vector<SettingFlag>& flags);

// The names of the environment variables that hold secret settings, or name the file of one.
std::vector<std::string> secret_variables();

// The setting of that key, or nullopt.
std::optional<SettingId> find_setting(std::string_view key);
// The key that was most likely meant, for "did you mean"; also finds "server.port" for "port".
std::optional<std::string> nearest_setting(std::string_view key);

// The value as text for people; a secret that is set reads "(set)".
std::string setting_text(const LoadedSettings& settings, SettingId id);
// Those of the settings that were given as flags: "--threads, --ctx-size", or "".
std::string given_flags(const LoadedSettings& settings, std::span<const SettingId> ids);
// "default", "file /path/config.toml:3:8", "environment LLAMAGPU_PORT", "flag --port"
std::string origin_text(const SettingOrigin& origin);

// Puts a value in its place. Shared by the sources; errors as bad_setting.
Status set_integer(LoadedSettings& settings, SettingId id, int64_t value, SettingOrigin origin);
Status set_boolean(LoadedSettings& settings, SettingId id, bool value, SettingOrigin origin);
Status set_string(LoadedSettings& settings, SettingId id, std::string_view value, SettingOrigin origin);
Status set_list(LoadedSettings& settings, SettingId id, std::vector<std::string> value, SettingOrigin origin);
// From text that has no type of its own: environment and flags. A list is split at commas.
Status set_from_text(LoadedSettings& settings, SettingId id, std::string_view text, SettingOrigin origin);

// The error for a value that is not what the setting takes: kConfigInvalid "PLACE: 'KEY' is VALUE, expected
// ...", of a flag kInvalidValue "--FLAG: VALUE is not valid, expected ...". `got` describes the value; that
// of a secret is never shown.
Error bad_setting(SettingId id, std::string_view got, const SettingOrigin& origin);

}  // namespace llama_gpu::app
