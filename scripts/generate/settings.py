"""api/settings.yaml -> app/settings.gen.h"""

from pathlib import Path
from typing import Any

import yaml
from output import cpp_string, pascal_case, write_if_changed

HEADER = """// Generated from api/settings.yaml.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace llama_gpu::app {

%(structs)s

// The value of every setting.
struct Settings {
%(members)s
};

enum class SettingType : uint8_t { kString, kPath, kInteger, kSize, kBoolean, kChoice, kList };

// What a text, or each text of a list, must be beside its type.
enum class SettingCheck : uint8_t { %(checks)s };

// A setting as api/settings.yaml declares it.
struct SettingInfo {
  std::string_view key;   // "server.port"
  SettingType type;
  int64_t min, max;       // of kInteger and kSize
  std::span<const std::string_view> choices;
  std::string_view env;   // LLAMAGPU_SERVER__PORT
  std::string_view short_env;  // LLAMAGPU_PORT, or empty
  std::string_view flag;  // --port, or empty
  bool is_secret;
  SettingCheck check;
  std::string_view help;
};

// Index into kSettings.
enum class SettingId : uint8_t {
%(ids)s
};

namespace detail {
%(choices)s
}  // namespace detail

inline constexpr std::array<SettingInfo, %(count)d> kSettings = {{
%(rows)s
}};

// Names of the environment that are no settings; one that ends in '*' is a beginning.
inline constexpr std::array<std::string_view, %(other_count)d> kOtherVariables = {{
%(others)s
}};

constexpr const SettingInfo& setting_info(SettingId id) { return kSettings[static_cast<size_t>(id)]; }

// Where a setting's value is kept.
using SettingField = std::variant<std::string*, int64_t*, bool*, std::vector<std::string>*>;

inline SettingField setting_field(Settings& settings, SettingId id) {
  switch (id) {
%(cases)s
  }
  return {};
}

}  // namespace llama_gpu::app
"""

CPP_TYPES = {
    "string": "std::string",
    "path": "std::string",
    "choice": "std::string",
    "integer": "int64_t",
    "size": "int64_t",
    "boolean": "bool",
    "list": "std::vector<std::string>",
}
CHECKS = ("none", "not_empty", "host", "alias")
TEXTS = ("string", "path", "list")
NO_MIN, NO_MAX = "std::numeric_limits<int64_t>::min()", "std::numeric_limits<int64_t>::max()"


def split_key(setting: dict[str, Any]) -> tuple[str, str]:
    section, name = setting["key"].split(".")
    return section, name


def enum_name(setting: dict[str, Any]) -> str:
    section, name = split_key(setting)
    return "k" + pascal_case(f"{section}_{name}")


def default(setting: dict[str, Any]) -> str:
    value = setting["default"]
    if isinstance(value, bool):
        return " = true" if value else " = false"
    if isinstance(value, int):
        return f" = {value}"
    if isinstance(value, list):
        return " = {" + ", ".join(cpp_string(item) for item in value) + "}" if value else ""
    return f" = {cpp_string(value)}" if value else ""


def struct(section: dict[str, str], settings: list[dict[str, Any]]) -> str:
    fields = "\n".join(f"  {CPP_TYPES[s['type']]} {split_key(s)[1]}{default(s)};  // {s['help']}" for s in settings)
    return f"// {section['help']}\nstruct {pascal_case(section['name'])}Settings {{\n{fields}\n}};"


def row(setting: dict[str, Any]) -> str:
    section, name = split_key(setting)
    is_number = setting["type"] in ("integer", "size")
    cells = [
        cpp_string(setting["key"]),
        f"SettingType::k{setting['type'].capitalize()}",
        str(setting["min"]) if is_number else NO_MIN,
        str(setting["max"]) if is_number else NO_MAX,
        f"detail::{enum_name(setting)}Choices" if "choices" in setting else "{}",
        cpp_string(f"LLAMAGPU_{section}__{name}".upper()),
        cpp_string(setting.get("env", "")),
        cpp_string(setting.get("flag", "")),
        "true" if setting.get("secret") else "false",
        f"SettingCheck::k{pascal_case(setting.get('check', 'none'))}",
        cpp_string(setting["help"]),
    ]
    return "    {" + ", ".join(cells) + "},"


def choices(setting: dict[str, Any]) -> str:
    values = setting["choices"]
    return (
        f"inline constexpr std::array<std::string_view, {len(values)}> {enum_name(setting)}Choices = "
        f"{{{', '.join(cpp_string(value) for value in values)}}};"
    )


def check(setting: dict[str, Any], sections: set[str]) -> None:
    problems = {
        "unknown section or type": split_key(setting)[0] not in sections or setting["type"] not in CPP_TYPES,
        "unknown check": setting.get("check", "none") not in CHECKS,
        "only texts are checked": "check" in setting and setting["type"] not in TEXTS,
    }
    for problem, is_there in problems.items():
        if is_there:
            raise SystemExit(f"api/settings.yaml: {setting['key']}: {problem}")


def generate(api: Path, out: Path) -> None:
    source = yaml.safe_load((api / "settings.yaml").read_text())
    sections, settings = source["sections"], source["settings"]
    known = {section["name"] for section in sections}
    for setting in settings:
        check(setting, known)
    of_section = {name: [s for s in settings if split_key(s)[0] == name] for name in known}
    write_if_changed(
        out / "app" / "settings.gen.h",
        HEADER
        % {
            "structs": "\n\n".join(struct(section, of_section[section["name"]]) for section in sections),
            "members": "\n".join(f"  {pascal_case(s['name'])}Settings {s['name']};" for s in sections),
            "ids": "\n".join(f"  {enum_name(s)}," for s in settings),
            "choices": "\n".join(choices(s) for s in settings if "choices" in s),
            "checks": ", ".join(f"k{pascal_case(name)}" for name in CHECKS),
            "other_count": len(source["other_variables"]),
            "others": "\n".join(f"    {cpp_string(row['name'])}," for row in source["other_variables"]),
            "count": len(settings),
            "rows": "\n".join(row(s) for s in settings),
            "cases": "\n".join(
                f"    case SettingId::{enum_name(s)}:\n      return &settings.{s['key']};" for s in settings
            ),
        },
    )
