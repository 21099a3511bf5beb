// SPDX-License-Identifier: Apache-2.0
#include "app/answer_parameters.h"

#include <fmt/format.h>

#include <array>

#include "app/number_text.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

constexpr std::string_view kDefault = "default";

struct NumberParameter {
  std::string_view name;
  std::optional<double> AnswerOptions::* member;
  NumberRange range;
};
constexpr std::array kNumbers = {
    NumberParameter{"temperature", &AnswerOptions::temperature, limits::kTemperature},
    NumberParameter{"top_p", &AnswerOptions::top_p, limits::kTopP},
};

struct IntegerParameter {
  std::string_view name;
  std::optional<int64_t> AnswerOptions::* member;
  IntegerRange range;
};
constexpr std::array kIntegers = {
    IntegerParameter{"max_tokens", &AnswerOptions::max_tokens, limits::kMaxTokens},
    IntegerParameter{"seed", &AnswerOptions::seed, limits::kSeed},
};

Status set_to(AnswerOptions& options, const NumberParameter& number, std::string_view value) {
  TRY(options.*number.member, read_number(number.name, value, number.range));
  return {};
}
Status set_to(AnswerOptions& options, const IntegerParameter& integer, std::string_view value) {
  TRY(options.*integer.member, read_integer(integer.name, value, integer.range));
  return {};
}

template <typename Parameter>
Status set_or_reset(AnswerOptions& options, const Parameter& parameter, std::string_view value) {
  if (value != kDefault) return set_to(options, parameter, value);
  (options.*parameter.member).reset();
  return {};
}

}  // namespace

Status set_parameter(AnswerOptions& options, std::string_view name, std::string_view value) {
  std::vector<std::string_view> known;
  for (const NumberParameter& number : kNumbers) {
    if (number.name == name) return set_or_reset(options, number, value);
    known.push_back(number.name);
  }
  for (const IntegerParameter& integer : kIntegers) {
    if (integer.name == name) return set_or_reset(options, integer, value);
    known.push_back(integer.name);
  }
  return Error{ErrorCode::kInvalidValue,
               "there is no parameter '" + escape_line(name, 200) + "'" + did_you_mean(name, known)};
}

std::vector<std::pair<std::string_view, std::string>> parameter_texts(const AnswerOptions& options) {
  const auto text = [](const auto& value) {
    return value ? fmt::format("{}", *value) : std::string(kDefault);
  };
  std::vector<std::pair<std::string_view, std::string>> texts;
  for (const NumberParameter& number : kNumbers)
    texts.emplace_back(number.name, text(options.*number.member));
  for (const IntegerParameter& integer : kIntegers)
    texts.emplace_back(integer.name, text(options.*integer.member));
  return texts;
}

}  // namespace llama_gpu::app
