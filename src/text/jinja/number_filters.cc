// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "text/jinja/arithmetic.h"
#include "text/jinja/filter_tables.h"
#include "text/jinja/text_operations.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

// Reading a number goes through its text some times, digit by digit: what that costs in plain passes.
constexpr size_t kNumberPasses = 64;

// Text without whitespace around it and underscores between digits; nullopt where Python would not read it.
std::optional<std::string> bare_number(const TaggedText& text) {
  std::string bare;
  const std::string_view bytes = without_space(text.bytes());
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto is_digit_at = [&](size_t at) {
      return at < bytes.size() && std::isalnum(static_cast<unsigned char>(bytes[at])) != 0;
    };
    if (bytes[i] != '_') {
      bare += bytes[i];
    } else if (i == 0 || !is_digit_at(i - 1) || !is_digit_at(i + 1)) {
      return std::nullopt;
    }
  }
  return bare;
}

struct ParsedInteger {
  bool is_valid;
  std::optional<int64_t> value;  // none: it does not fit
};

// Python's int(text, base).
ParsedInteger parse_integer(const TaggedText& text, int64_t base) {
  const auto bare = bare_number(text);
  if (!bare || bare->empty()) return {false, {}};
  std::string_view digits = *bare;
  const bool is_negative = digits.front() == '-';
  if (digits.front() == '-' || digits.front() == '+') digits.remove_prefix(1);
  const char prefix = digits.size() > 2 && digits[0] == '0' ? static_cast<char>(digits[1] | 0x20) : '\0';
  const int64_t prefix_base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 0;
  if (prefix_base != 0 && (base == prefix_base || base == 0)) {
    digits.remove_prefix(2);
    base = prefix_base;
  }
  if (base == 0) base = 10;
  if (base < 2 || base > 36) return {false, {}};
  const std::string signed_digits = (is_negative ? "-" : "") + std::string(digits);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(signed_digits.data(), signed_digits.data() + signed_digits.size(),
                                            value, static_cast<int>(base));
  const bool is_whole =
      end == signed_digits.data() + signed_digits.size() && !digits.empty() && digits.front() != '-';
  if (error == std::errc::result_out_of_range && is_whole) return {true, {}};
  return {error == std::errc() && is_whole, value};
}

// Python's float(text).
std::optional<double> parse_float(const TaggedText& text) {
  const auto bare = bare_number(text);
  if (!bare || bare->empty() || bare->find_first_of("xXpP(") != bare->npos) return std::nullopt;
  if (std::isspace(static_cast<unsigned char>(bare->front())) != 0) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(bare->c_str(), &end);
  return end == bare->c_str() + bare->size() ? std::optional(value) : std::nullopt;
}

Result<Value> truncated(Runtime& runtime, double number) {
  if (std::abs(number) < 0x1p63) return Value(static_cast<int64_t>(number));
  return runtime.fail("a number does not fit in 64 bits");
}

Result<Value> int_filter(Runtime& runtime, const BoundArguments& arguments) {
  const Value& value = arguments.at(0);
  const Value otherwise = arguments.has(1) ? arguments.at(1) : Value(int64_t{0});
  TRY(const int64_t base, int_argument(runtime, arguments, 2, 10));
  if (const auto integer = value.as_int()) return Value(*integer);
  if (value.is_undefined()) return runtime.fail("an undefined value is no number");
  std::optional<double> number = value.as_number();
  if (const TaggedText* text = value.as_text()) {
    TRY_STATUS(runtime.spend_bytes(kNumberPasses * text->size()));
    const ParsedInteger parsed = parse_integer(*text, base);
    if (parsed.is_valid)
      return parsed.value ? Result<Value>(Value(*parsed.value)) : truncated(runtime, HUGE_VAL);
    number = parse_float(*text);
  }
  if (!number || std::isnan(*number)) return otherwise;
  return truncated(runtime, *number);
}

Result<Value> float_filter(Runtime& runtime, const BoundArguments& arguments) {
  const Value& value = arguments.at(0);
  const Value otherwise = arguments.has(1) ? arguments.at(1) : Value(0.0);
  if (value.is_undefined()) return runtime.fail("an undefined value is no number");
  std::optional<double> number = value.as_number();
  if (const TaggedText* text = value.as_text()) {
    TRY_STATUS(runtime.spend_bytes(kNumberPasses * text->size()));
    number = parse_float(*text);
  }
  return number ? Value(*number) : otherwise;
}

Result<Value> abs_filter(Runtime& runtime, const BoundArguments& arguments) {
  const Value& value = arguments.at(0);
  if (value.is_float()) return Value(std::abs(*value.as_number()));
  const auto integer = value.as_int();
  if (!integer) return negate(runtime, value);  // which says what is wrong with it
  return *integer < 0 ? negate(runtime, value) : Result<Value>(Value(*integer));
}

// Python's round(): to the nearest decimal number, by the exact value of the binary one.
double round_decimal(double number, int64_t digits) {
  if (!std::isfinite(number) || digits > 320) return number;
  if (digits < -310) return std::copysign(0.0, number);
  if (digits < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-digits));
    return std::nearbyint(number / unit) * unit;
  }
  std::array<char, 1024> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.*f", static_cast<int>(digits), number);
  return std::strtod(buffer.data(), nullptr);
}

// To the nearest multiple of a power of ten, halves to the even one.
Result<Value> round_integer(Runtime& runtime, int64_t number, int64_t digits) {
  if (digits >= 0) return Value(number);
  if (digits < -18) return Value(int64_t{0});
  int64_t unit = 1;
  for (int64_t i = digits; i < 0; ++i) unit *= 10;
  const int64_t rest = ((number % unit) + unit) % unit;
  TRY(Value down, compute(runtime, BinaryOperator::kSubtract, Value(number), Value(rest)));
  const bool is_odd = (*down.as_int() / unit) % 2 != 0;
  const bool rounds_up = rest > unit / 2 || (rest == unit / 2 && is_odd);
  return rounds_up ? compute(runtime, BinaryOperator::kAdd, down, Value(unit)) : Result<Value>(down);
}

Result<Value> round_filter(Runtime& runtime, const BoundArguments& arguments) {
  const auto number = arguments.at(0).as_number();
  TRY(const int64_t digits, int_argument(runtime, arguments, 1, 0));
  std::string method = "common";
  if (arguments.has(2)) {
    TRY(const TaggedText* given, text_argument(runtime, arguments, 2));
    method = given->bytes().substr(0, 16);
  }
  if (!number)
    return runtime.fail("only numbers are rounded, not a '" + std::string(arguments.at(0).type_name()) + "'");
  if (method == "common") {
    if (const auto integer = arguments.at(0).as_int()) return round_integer(runtime, *integer, digits);
    return Value(round_decimal(*number, digits));
  }
  if (method != "ceil" && method != "floor")
    return runtime.fail("'round' has the methods common, ceil and floor");
  const double unit = std::pow(10.0, static_cast<double>(digits));
  const double scaled = *number * unit;
  if (!std::isfinite(scaled)) return runtime.fail("a number is too large to be rounded");
  // Python's ceil and floor give integers, which have no negative zero.
  const double whole = (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) + 0.0;
  return Value(whole / unit);
}

constexpr std::array kNumberFilters = {
    Builtin{"abs", "value", abs_filter},
    Builtin{"float", "value default?", float_filter},
    Builtin{"int", "value default? base?", int_filter},
    Builtin{"round", "value precision? method?", round_filter},
};

}  // namespace

std::span<const Builtin> number_filters() { return kNumberFilters; }

}  // namespace llama_gpu::text::jinja
