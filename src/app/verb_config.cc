// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "app/verbs.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

using Json = nlohmann::ordered_json;

// A value with its own type; a secret as its text "(set)".
Json json_value(const LoadedSettings& settings, SettingId id) {
  if (setting_info(id).is_secret) return setting_text(settings, id);
  Settings values = settings.values;
  return std::visit([](const auto* value) -> Json { return *value; }, setting_field(values, id));
}

// As the file would have it: `port = 8484`.
std::string toml_value(const LoadedSettings& settings, SettingId id) {
  return json_value(settings, id).dump();
}

std::string_view source_name(SettingSource source) {
  switch (source) {
    case SettingSource::kFile:
      return "file";
    case SettingSource::kEnvironment:
      return "environment";
    case SettingSource::kFlag:
      return "flag";
    case SettingSource::kDefault:
      break;
  }
  return "default";
}

// `config show` prints every setting in the form of the file, `config path` where that file is.
class ConfigVerb final : public Verb {
 public:
  void declare(CLI::App& command) override {
    command.require_subcommand(1);
    show_ = command.add_subcommand("show", "Every setting with its value");
    show_->fallthrough();
    show_->add_flag("--origin", with_origin_, "Also where each value comes from");
    show_->add_flag("--json", as_json_, "As JSON");
    command.add_subcommand("path", "Where the settings file is")->fallthrough();
  }

  Result<int> run(VerbContext& context) override {
    if (!show_->parsed()) {
      context.console.out << context.settings.config_path << "\n";
    } else if (as_json_) {
      show_json(context);
    } else {
      show_text(context);
    }
    return 0;
  }

 private:
  void show_text(VerbContext& context) const {
    std::string_view section;
    for (size_t i = 0; i < kSettings.size(); ++i) {
      const auto id = static_cast<SettingId>(i);
      const auto [section_name, name] = split_once(kSettings[i].key, '.');
      if (section_name != section) {
        context.console.out << (section.empty() ? "" : "\n") << "[" << section_name << "]\n";
        section = section_name;
      }
      context.console.out << name << " = " << toml_value(context.settings, id);
      if (with_origin_)
        context.console.out << "  # " << escape_line(origin_text(context.settings.origin(id)));
      context.console.out << "\n";
    }
  }

  void show_json(VerbContext& context) const {
    Json list = Json::array();
    for (size_t i = 0; i < kSettings.size(); ++i) {
      const auto id = static_cast<SettingId>(i);
      Json row = {{"key", kSettings[i].key}, {"value", json_value(context.settings, id)}};
      if (with_origin_) {
        const SettingOrigin& origin = context.settings.origin(id);
        row["origin"] = {{"source", source_name(origin.source)}, {"where", repair_utf8(origin.where)}};
      }
      list.push_back(std::move(row));
    }
    context.console.out << Json{{"settings", std::move(list)}}.dump(2) << "\n";
  }

  CLI::App* show_ = nullptr;
  bool with_origin_ = false;
  bool as_json_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_config_verb() { return std::make_unique<ConfigVerb>(); }

}  // namespace llama_gpu::app
