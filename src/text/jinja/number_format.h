// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace llama_gpu::text::jinja {

// A number in parts, so that padding may stand between them.
struct FormattedNumber {
  std::string sign;  // "-", "+", " " or "", and a prefix such as 0x
  std::string digits;
};

// A format of `%` or of format(), parsed.
struct NumberFormat {
  char type = 'd';               // d b o x X; e E f F g G %; r: Python's repr; p: that, rounded
  char sign = '-';               // '+': also in front of positive numbers; ' ': a blank in front of those
  bool is_alternate = false;     // #: with prefix; with point
  std::optional<int> precision;  // digits behind the point, or in all for g
  char group = 0;                // ',' or '_' between groups of digits
};

// The number as Python writes it.
FormattedNumber format_integer(int64_t number, const NumberFormat& format);
FormattedNumber format_float(double number, const NumberFormat& format);

}  // namespace llama_gpu::text::jinja
