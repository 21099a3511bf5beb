// SPDX-License-Identifier: Apache-2.0
#include "app/flag_checks.h"

#include <fmt/format.h>

#include "app/number_text.h"

namespace llama_gpu::app {
namespace {

// CLI11 puts the flag and a colon in front of what is returned; "" is no error.
std::string without_name(const std::string& message) { return message.substr(2); }

}  // namespace

CLI::Validator integer_in(IntegerRange range) {
  const auto check = [range](std::string& text) {
    const Result<int64_t> value = read_integer("", text, range);
    if (!value.ok()) return without_name(value.error().message);
    text = std::to_string(*value);  // CLI11 would take "010" for eight
    return std::string();
  };
  return CLI::Validator(check, fmt::format("{} to {}", range.min, range.max));
}

CLI::Validator number_in(NumberRange range) {
  const auto check = [range](std::string& text) {
    const Result<double> value = read_number("", text, range);
    return value.ok() ? std::string() : without_name(value.error().message);
  };
  return CLI::Validator(check, fmt::format("{} to {}", range.min, range.max));
}

}  // namespace llama_gpu::app
