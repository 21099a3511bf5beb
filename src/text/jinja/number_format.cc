// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/number_format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <vector>

#include "text/jinja/printing.h"

namespace llama_gpu::text::jinja {
namespace {

std::string sign_of(bool is_negative, char sign) {
  if (is_negative) return "-";
  return sign == '-' ? std::string() : std::string(1, sign);
}

int base_of(char type) { return type == 'b' ? 2 : type == 'o' ? 8 : type == 'x' || type == 'X' ? 16 : 10; }

// Puts `separator` between groups of digits, from the right, in front of a point or exponent.
std::string grouped(const std::string& digits, char separator, size_t group_size) {
  const auto stop = std::find_if(digits.begin(), digits.end(),
                                 [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
  const auto whole = static_cast<size_t>(stop - digits.begin());
  std::string out;
  for (size_t i = 0; i < whole; ++i) {
    if (i != 0 && (whole - i) % group_size == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(whole);
}

std::string printf_float(double number, const NumberFormat& format) {
  const std::string pattern = std::string("%") + (format.is_alternate ? "#" : "") + ".*" + format.type;
  const int precision = format.precision.value_or(6);
  std::vector<char> buffer(400 + static_cast<size_t>(precision));
  const int size = std::snprintf(buffer.data(), buffer.size(), pattern.c_str(), precision, number);
  return std::string(buffer.data(), static_cast<size_t>(size));
}

// As %g, but a number always shows that it is none of the integers: with a point or an exponent.
std::string shortest_float(double number, NumberFormat format) {
  format.type = 'g';
  format.precision = std::max(format.precision.value_or(6), 1);
  std::string digits = printf_float(number, format);
  if (digits.find_first_not_of("0123456789") != digits.npos) return digits;
  if (digits.size() < static_cast<size_t>(*format.precision)) return digits + ".0";
  const std::string exponent = std::to_string(digits.size() - 1);
  digits.erase(std::max<size_t>(digits.find_last_not_of('0') + 1, 1));
  if (digits.size() > 1) digits.insert(1, ".");
  return digits + (exponent.size() < 2 ? "e+0" : "e+") + exponent;
}

}  // namespace

FormattedNumber format_integer(int64_t number, const NumberFormat& format) {
  const uint64_t magnitude =
      number < 0 ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  std::array<char, 72> buffer;
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), magnitude, base_of(format.type)).ptr;
  FormattedNumber out{sign_of(number < 0, format.sign), std::string(buffer.data(), end)};
  if (format.type == 'X') {
    std::transform(out.digits.begin(), out.digits.end(), out.digits.begin(),
                   [](unsigned char c) { return std::toupper(c); });
  }
  if (format.precision && out.digits.size() < static_cast<size_t>(*format.precision)) {
    out.digits.insert(0, static_cast<size_t>(*format.precision) - out.digits.size(), '0');
  }
  if (format.group != 0) out.digits = grouped(out.digits, format.group, format.type == 'd' ? 3 : 4);
  if (format.is_alternate && format.type != 'd') out.sign += std::string("0") + format.type;
  return out;
}

FormattedNumber format_float(double number, const NumberFormat& format) {
  const double magnitude = std::abs(number);
  FormattedNumber out{sign_of(std::signbit(number) && !std::isnan(number), format.sign), {}};
  if (format.type == 'r') {
    out.digits = float_repr(magnitude);
  } else if (format.type == 'p') {
    out.digits = shortest_float(magnitude, format);
  } else if (format.type == '%') {
    NumberFormat percent = format;
    percent.type = 'f';
    out.digits = printf_float(magnitude * 100, percent) + "%";
  } else {
    out.digits = printf_float(magnitude, format);
  }
  if (format.group != 0) out.digits = grouped(out.digits, format.group, 3);
  return out;
}

}  // namespace llama_gpu::text::jinja
