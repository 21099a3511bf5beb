// SPDX-License-Identifier: Apache-2.0
// The file form of the settings. Alone in its file because toml++ takes seconds to compile.
#include <toml++/toml.h>

#include <algorithm>

#include "app/setting_checks.h"
#include "app/settings.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

SettingOrigin origin_at(std::string_view path, const toml::source_position& at) {
  return {SettingSource::kFile,
          std::string(path) + ":" + std::to_string(at.line) + ":" + std::to_string(at.column)};
}

// Of a node that value_text does not show itself.
std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::floating_point:
      return "a decimal number";
    default:
      return "a date or time";
  }
}

// A short value as the file has it, else its type.
std::string value_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return "'" + escape_line(text->get(), 200) + "'";
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return std::string(type_name(node));
}

Error unknown_key(std::string_view key, const SettingOrigin& origin) {
  std::string message = origin.where + ": '" + escape_line(key, 200) + "' is not a setting";
  if (const std::optional<std::string> nearest = nearest_setting(key)) {
    message += "; did you mean '" + *nearest + "'?";
  }
  return Error{ErrorCode::kConfigInvalid, std::move(message), "`llama-gpu config show` lists all settings",
               std::string(key)};
}

Result<std::vector<std::string>> read_list(SettingId id, const toml::array& array, std::string_view path) {
  std::vector<std::string> items;
  for (const toml::node& item : array) {
    const auto* const text = item.as_string();
    if (text == nullptr || !checked_text(setting_info(id).check, text->get())) {
      return bad_setting(id, value_text(item), origin_at(path, item.source().begin));
    }
    items.push_back(text->get());
  }
  return items;
}

Status set_from_node(LoadedSettings& settings, SettingId id, const toml::node& node, std::string_view path) {
  SettingOrigin origin = origin_at(path, node.source().begin);
  const SettingType type = setting_info(id).type;
  if (const auto* text = node.as_string()) {
    // Also a list may not be written as one string here: in a file it has a form of its own.
    if (type == SettingType::kInteger || type == SettingType::kBoolean) {
      return bad_setting(id, value_text(node), origin);
    }
    return set_string(settings, id, text->get(), std::move(origin));
  }
  if (const auto* number = node.as_integer())
    return set_integer(settings, id, number->get(), std::move(origin));
  if (const auto* truth = node.as_boolean())
    return set_boolean(settings, id, truth->get(), std::move(origin));
  if (const auto* array = node.as_array()) {
    TRY(std::vector<std::string> items, read_list(id, *array, path));
    return set_list(settings, id, std::move(items), std::move(origin));
  }
  return bad_setting(id, type_name(node), origin);
}

bool is_section(std::string_view name) {
  return std::ranges::any_of(
      kSettings, [&](const SettingInfo& info) { return split_once(info.key, '.').first == name; });
}

Status apply_section(LoadedSettings& settings, std::string_view section, const toml::table& table,
                     std::string_view path) {
  for (const auto& [name, node] : table) {
    const std::string key = std::string(section) + "." + std::string(name.str());
    const std::optional<SettingId> id = find_setting(key);
    if (!id) return unknown_key(key, origin_at(path, name.source().begin));
    TRY_STATUS(set_from_node(settings, *id, node, path));
  }
  return {};
}

Status apply_root(LoadedSettings& settings, const toml::table& root, std::string_view path) {
  for (const auto& [name, node] : root) {
    const SettingOrigin origin = origin_at(path, name.source().begin);
    if (!is_section(name.str())) return unknown_key(name.str(), origin);
    const toml::table* const table = node.as_table();
    if (table == nullptr) {
      return Error{ErrorCode::kConfigInvalid,
                   origin.where + ": '" + std::string(name.str()) + "' is " + value_text(node) +
                       ", expected a table: [" + std::string(name.str()) + "]",
                   "", std::string(name.str())};
    }
    TRY_STATUS(apply_section(settings, name.str(), *table, path));
  }
  return {};
}

}  // namespace

Status apply_toml(LoadedSettings& settings, std::string_view text, std::string_view path) {
  toml::table root;
  try {
    root = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    return Error{ErrorCode::kConfigInvalid,
                 origin_at(path, error.source().begin).where + ": " + escape_line(error.description(), 300),
                 "the file is TOML: https://toml.io"};
  }
  return apply_root(settings, root, path);
}

}  // namespace llama_gpu::app
