// SPDX-License-Identifier: Apache-2.0
#include "app/settings.h"

#include <algorithm>

#include "app/setting_checks.h"
#include "base/file.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

constexpr uint64_t kMaxConfigFileBytes = 1 << 20;  // a settings file is a page or two
constexpr uint64_t kMaxSecretFileBytes = 4096;     // holds one key

constexpr std::string_view kVariablePrefix = "LLAMAGPU_";

std::string expected_text(const SettingInfo& info) {
  if (info.check != SettingCheck::kNone) return std::string(expected_by(info.check));
  const std::string range = "from " + std::to_string(info.min) + " to " + std::to_string(info.max);
  switch (info.type) {
    case SettingType::kInteger:
      return "an integer " + range;
    case SettingType::kSize:
      return "a size in bytes " + range + ", such as \"8MiB\"";
    case SettingType::kBoolean:
      return "true or false";
    case SettingType::kList:
      return "a list of strings";
    case SettingType::kChoice: {
      std::string choices;
      for (std::string_view choice : info.choices) {
        if (!choice.empty()) choices.append(choices.empty() ? "" : ", ").append(choice);
      }
      return "one of " + choices;
    }
    case SettingType::kString:
    case SettingType::kPath:
      break;
  }
  return "a string";
}

std::string place_text(const SettingOrigin& origin) {
  return origin.where.empty() ? "" : origin.where + ": ";
}

void remember(LoadedSettings& settings, SettingId id, SettingOrigin origin) {
  settings.origins[static_cast<size_t>(id)] = std::move(origin);
}

std::string in_quotes(std::string_view text) { return "'" + escape_line(text, 200) + "'"; }

// A secret from the file that NAME_FILE names, without the line end that editors leave.
Result<std::optional<std::string>> read_secret_file(const Environment& environment,
                                                    std::string_view variable) {
  const std::string name = std::string(variable) + "_FILE";
  const std::string_view path = environment.get(name);
  if (path.empty()) return std::optional<std::string>();
  Result<std::string> contents = read_file(std::string(path), kMaxSecretFileBytes);
  if (!contents.ok()) {
    Error error = std::move(contents).error();
    error.message = name + ": " + error.message;
    return error;
  }
  return std::optional(std::string(trim(*contents)));
}

// The variables that may hold a setting, the strongest first.
std::vector<std::string_view> variables_of(const SettingInfo& info) {
  if (info.short_env.empty()) return {info.env};
  return {info.env, info.short_env};
}

Status apply_variable(LoadedSettings& settings, SettingId id, const Environment& environment) {
  const SettingInfo& info = setting_info(id);
  for (std::string_view name : variables_of(info)) {
    if (const std::string_view value = environment.get(name); !value.empty()) {
      return set_from_text(settings, id, value, {SettingSource::kEnvironment, std::string(name)});
    }
    if (!info.is_secret) continue;
    TRY(const std::optional<std::string> secret, read_secret_file(environment, name));
    if (secret) {
      return set_string(settings, id, *secret, {SettingSource::kEnvironment, std::string(name) + "_FILE"});
    }
  }
  return {};
}

// "LLAMAGPU_PORT" for "LLAMAGPU_PROT" and for "LLAMAGPU_SERVER_PORT".
std::optional<std::string> nearest_variable(std::string_view name) {
  const std::string wanted = to_lower(name.substr(kVariablePrefix.size()));
  std::vector<std::string_view> short_names;
  for (const SettingInfo& info : kSettings) {
    if (!info.short_env.empty()) short_names.push_back(info.short_env.substr(kVariablePrefix.size()));
  }
  if (const auto nearest = nearest_name(wanted, short_names)) return std::string(kVariablePrefix) + *nearest;
  const std::optional<SettingId> id = find_setting(nearest_setting(wanted).value_or(""));
  if (!id) return std::nullopt;
  return std::string(variables_of(setting_info(*id)).back());
}

// Whether it is no setting and may stand in the environment all the same.
bool is_other_variable(std::string_view name) {
  return std::ranges::any_of(kOtherVariables, [&](std::string_view other) {
    return other.ends_with('*') ? name.starts_with(other.substr(0, other.size() - 1)) : name == other;
  });
}

bool is_setting_variable(std::string_view name) {
  const std::vector<std::string> secrets = secret_variables();
  return std::ranges::find(secrets, name) != secrets.end() ||
         std::ranges::any_of(kSettings, [&](const SettingInfo& info) {
           return name == info.env || (name == info.short_env && !name.empty());
         });
}

void warn_of_variable(LoadedSettings& settings, std::string_view name) {
  if (!name.starts_with(kVariablePrefix) || is_setting_variable(name) || is_other_variable(name)) return;
  const std::optional<std::string> nearest = nearest_variable(name);
  settings.warnings.push_back("environment variable " + in_quotes(name) + " is not a setting and is ignored" +
                              (nearest ? "; did you mean '" + *nearest + "'?" : ""));
}

// Names with two underscores can only be meant as settings; others may belong to another program.
Status check_variable_name(std::string_view name) {
  if (!name.starts_with(kVariablePrefix) || name.find("__") == std::string_view::npos) return {};
  std::vector<std::string_view> known;
  std::string_view base = name;
  if (base.ends_with("_FILE")) base.remove_suffix(5);
  for (const SettingInfo& info : kSettings) {
    if (name == info.env || (info.is_secret && base == info.env)) return {};
    known.push_back(info.env);
  }
  return Error{ErrorCode::kConfigInvalid,
               "environment variable " + in_quotes(name) + " is not a setting" + did_you_mean(name, known),
               "`llama-gpu config show` lists all settings", std::string(name)};
}

void expand_paths(LoadedSettings& settings, const Environment& environment) {
  for (size_t i = 0; i < kSettings.size(); ++i) {
    if (kSettings[i].type != SettingType::kPath) continue;
    const SettingField field = setting_field(settings.values, static_cast<SettingId>(i));
    std::string& path = **std::get_if<std::string*>(&field);
    path = environment.expand_path(path);
  }
}

}  // namespace

std::vector<std::string> secret_variables() {
  std::vector<std::string> names;
  for (const SettingInfo& info : kSettings) {
    if (!info.is_secret) continue;
    for (const std::string_view name : variables_of(info)) {
      names.emplace_back(name);
      names.push_back(std::string(name) + "_FILE");
    }
  }
  return names;
}

Error bad_setting(SettingId id, std::string_view got, const SettingOrigin& origin) {
  const SettingInfo& info = setting_info(id);
  if (origin.source == SettingSource::kFlag) {
    const std::string shown = info.is_secret         ? "the value"
                              : got.starts_with("'") ? std::string(got)
                                                     : in_quotes(got);
    return Error{ErrorCode::kInvalidValue,
                 place_text(origin) + shown + " is not valid, expected " + expected_text(info),
                 std::string(info.help), std::string(info.key)};
  }
  const std::string value = info.is_secret ? "not valid" : std::string(got);
  return Error{
      ErrorCode::kConfigInvalid,
      place_text(origin) + in_quotes(info.key) + " is " + value + ", expected " + expected_text(info),
      std::string(info.help), std::string(info.key)};
}

Status set_integer(LoadedSettings& settings, SettingId id, int64_t value, SettingOrigin origin) {
  const SettingInfo& info = setting_info(id);
  const SettingField field = setting_field(settings.values, id);
  int64_t* const* const target = std::get_if<int64_t*>(&field);
  if (target == nullptr || value < info.min || value > info.max) {
    return bad_setting(id, std::to_string(value), origin);
  }
  **target = value;
  remember(settings, id, std::move(origin));
  return {};
}

Status set_boolean(LoadedSettings& settings, SettingId id, bool value, SettingOrigin origin) {
  const SettingField field = setting_field(settings.values, id);
  bool* const* const target = std::get_if<bool*>(&field);
  if (target == nullptr) return bad_setting(id, value ? "true" : "false", origin);
  **target = value;
  remember(settings, id, std::move(origin));
  return {};
}

Status set_string(LoadedSettings& settings, SettingId id, std::string_view value, SettingOrigin origin) {
  const SettingInfo& info = setting_info(id);
  if (info.type == SettingType::kSize) {
    const std::optional<int64_t> size = parse_size(value);
    if (!size) return bad_setting(id, in_quotes(value), origin);
    return set_integer(settings, id, *size, std::move(origin));
  }
  const SettingField field = setting_field(settings.values, id);
  std::string* const* const target = std::get_if<std::string*>(&field);
  std::optional<std::string> plain = checked_text(info.check, value);
  if (target == nullptr || !plain || !is_valid_utf8(value) || value.find('\0') != std::string::npos) {
    return bad_setting(id, in_quotes(value), origin);
  }
  if (info.type == SettingType::kChoice && std::ranges::find(info.choices, value) == info.choices.end()) {
    Error error = bad_setting(id, in_quotes(value), origin);
    error.message += did_you_mean(value, info.choices);
    return error;
  }
  **target = *std::move(plain);
  remember(settings, id, std::move(origin));
  return {};
}

Status set_list(LoadedSettings& settings, SettingId id, std::vector<std::string> value,
                SettingOrigin origin) {
  const SettingField field = setting_field(settings.values, id);
  std::vector<std::string>* const* const target = std::get_if<std::vector<std::string>*>(&field);
  if (target == nullptr) return bad_setting(id, "a list", origin);
  for (const std::string& item : value) {
    if (!checked_text(setting_info(id).check, item)) return bad_setting(id, in_quotes(item), origin);
  }
  **target = std::move(value);
  remember(settings, id, std::move(origin));
  return {};
}

Status set_from_text(LoadedSettings& settings, SettingId id, std::string_view text, SettingOrigin origin) {
  switch (setting_info(id).type) {
    case SettingType::kInteger: {
      const std::optional<int64_t> number = parse_integer(trim(text));
      if (!number) return bad_setting(id, in_quotes(text), origin);
      return set_integer(settings, id, *number, std::move(origin));
    }
    case SettingType::kBoolean: {
      const std::string word = to_lower(trim(text));
      if (word == "true" || word == "1" || word == "yes")
        return set_boolean(settings, id, true, std::move(origin));
      if (word == "false" || word == "0" || word == "no")
        return set_boolean(settings, id, false, std::move(origin));
      return bad_setting(id, in_quotes(text), origin);
    }
    case SettingType::kList: {
      std::vector<std::string> items;
      for (std::string_view item : split(text, ',')) {
        if (!trim(item).empty()) items.emplace_back(trim(item));
      }
      return set_list(settings, id, std::move(items), std::move(origin));
    }
    case SettingType::kString:
    case SettingType::kPath:
    case SettingType::kSize:
    case SettingType::kChoice:
      break;
  }
  return set_string(settings, id, text, std::move(origin));
}

std::optional<SettingId> find_setting(std::string_view key) {
  for (size_t i = 0; i < kSettings.size(); ++i) {
    if (kSettings[i].key == key) return static_cast<SettingId>(i);
  }
  return std::nullopt;
}

std::optional<std::string> nearest_setting(std::string_view key) {
  std::vector<std::string_view> keys, names, sections;
  for (const SettingInfo& info : kSettings) {
    const auto [section, name] = split_once(info.key, '.');
    keys.push_back(info.key);
    names.push_back(name);
    sections.push_back(section);
  }
  const std::string_view last = key.substr(key.rfind('.') + 1);
  const auto same_name = std::ranges::find(names, last);
  if (same_name != names.end()) return std::string(keys[static_cast<size_t>(same_name - names.begin())]);
  const bool is_section = key.find('.') == key.npos;
  if (const auto section = nearest_name(key, sections); is_section && section) return "[" + *section + "]";
  if (std::optional<std::string> nearest = nearest_name(key, keys)) return nearest;
  const std::optional<std::string> name = nearest_name(last, names);
  if (!name) return std::nullopt;
  return std::string(keys[static_cast<size_t>(std::ranges::find(names, *name) - names.begin())]);
}

Status apply_environment(LoadedSettings& settings, const Environment& environment) {
  for (const auto& [name, value] : environment.all()) {
    TRY_STATUS(check_variable_name(name));
    if (!value.empty()) warn_of_variable(settings, name);
  }
  for (size_t i = 0; i < kSettings.size(); ++i) {
    TRY_STATUS(apply_variable(settings, static_cast<SettingId>(i), environment));
  }
  return {};
}

Status apply_flags(LoadedSettings& settings, const std::vector<SettingFlag>& flags) {
  for (const SettingFlag& flag : flags) {
    const std::string where(setting_info(flag.id).flag);
    TRY_STATUS(set_from_text(settings, flag.id, flag.text, {SettingSource::kFlag, where}));
  }
  return {};
}

Result<LoadedSettings> load_settings(const SettingSources& sources) {
  LoadedSettings settings;
  std::string asked_for = sources.config_path;
  if (asked_for.empty()) asked_for = sources.environment.get("LLAMAGPU_CONFIG");
  settings.config_path =
      asked_for.empty() ? sources.environment.config_home() + "/llama-gpu/config.toml" : asked_for;

  const Result<std::string> text = read_file(settings.config_path, kMaxConfigFileBytes);
  if (text.ok()) {
    settings.has_config_file = true;
    TRY_STATUS(apply_toml(settings, *text, settings.config_path));
  } else if (!asked_for.empty() || text.error().code != ErrorCode::kFileNotFound) {
    return text.error();
  }
  TRY_STATUS(apply_environment(settings, sources.environment));
  TRY_STATUS(apply_flags(settings, sources.flags));
  expand_paths(settings, sources.environment);
  return settings;
}

std::string setting_text(const LoadedSettings& settings, SettingId id) {
  Settings values = settings.values;
  const SettingField field = setting_field(values, id);
  if (const auto* text = std::get_if<std::string*>(&field)) {
    return setting_info(id).is_secret && !(*text)->empty() ? "(set)" : **text;
  }
  if (const auto* number = std::get_if<int64_t*>(&field)) return std::to_string(**number);
  if (const auto* truth = std::get_if<bool*>(&field)) return **truth ? "true" : "false";
  const std::vector<std::string>& list = **std::get_if<std::vector<std::string>*>(&field);
  return join(std::vector<std::string_view>(list.begin(), list.end()), ",");
}

std::string given_flags(const LoadedSettings& settings, std::span<const SettingId> ids) {
  std::string flags;
  for (const SettingId id : ids) {
    if (settings.origin(id).source != SettingSource::kFlag) continue;
    flags.append(flags.empty() ? "" : ", ").append(setting_info(id).flag);
  }
  return flags;
}

std::string origin_text(const SettingOrigin& origin) {
  switch (origin.source) {
    case SettingSource::kFile:
      return "file " + origin.where;
    case SettingSource::kEnvironment:
      return "environment " + origin.where;
    case SettingSource::kFlag:
      return "flag " + origin.where;
    case SettingSource::kDefault:
      break;
  }
  return "default";
}

}  // namespace llama_gpu::app
