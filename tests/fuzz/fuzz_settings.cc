// links: app
// SPDX-License-Identifier: Apache-2.0
//
// Settings from foreign bytes: the TOML file, and the same text as values of environment variables and flags.
// An error must name a place; what was accepted must be shown and be in range.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "app/settings.h"
#include "base/check.h"
#include "base/strings.h"

namespace {

using namespace llama_gpu;
using namespace llama_gpu::app;

void check_values(const LoadedSettings& settings) {
  for (size_t i = 0; i < kSettings.size(); ++i) {
    const auto id = static_cast<SettingId>(i);
    const std::string text = setting_text(settings, id);
    CHECK(kSettings[i].is_secret || is_valid_utf8(text) || kSettings[i].type == SettingType::kList,
          "a setting is not text");
    Settings values = settings.values;
    const SettingField field = setting_field(values, id);
    if (const auto* number = std::get_if<int64_t*>(&field)) {
      CHECK(**number >= kSettings[i].min && **number <= kSettings[i].max, "a setting is out of its range");
    }
  }
}

void fuzz_file(std::string_view text) {
  LoadedSettings settings;
  const Status status = apply_toml(settings, text, "c.toml");
  CHECK(status.ok() || status.error().message.starts_with("c.toml:"), "an error without its place");
  check_values(settings);
}

void fuzz_texts(std::string_view text) {
  LoadedSettings settings;
  for (std::string_view line : split(text, '\n')) {
    const auto [key, value] = split_once(line, '=');
    (void)nearest_setting(trim(key));
    if (const auto id = find_setting(trim(key))) {
      (void)apply_flags(settings, {{*id, std::string(value)}});
    }
    (void)apply_environment(settings, Environment::of_variables({{std::string(key), std::string(value)}}));
  }
  check_values(settings);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz_file(text);
  fuzz_texts(text);
  return 0;
}
