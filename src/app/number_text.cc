// SPDX-License-Identifier: Apache-2.0
#include "app/number_text.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace llama_gpu::app {
namespace {

Error not_valid(std::string_view name, std::string_view text, std::string_view expected) {
  return Error{ErrorCode::kInvalidValue,
               fmt::format("{}: '{}' is not valid, expected {}", name, escape_line(text, 200), expected), "",
               std::string(name)};
}

}  // namespace

Result<int64_t> read_integer(std::string_view name, std::string_view text, IntegerRange range) {
  const std::optional<int64_t> value = parse_integer(trim(text));
  if (value && range.holds(*value)) return *value;
  return not_valid(name, text, fmt::format("an integer from {} to {}", range.min, range.max));
}

Result<double> read_number(std::string_view name, std::string_view text, NumberRange range) {
  const std::optional<double> value = parse_number(trim(text));
  if (value && range.holds(*value)) return *value;
  return not_valid(name, text, fmt::format("a number from {} to {}", range.min, range.max));
}

}  // namespace llama_gpu::app
