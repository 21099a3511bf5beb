// SPDX-License-Identifier: Apache-2.0
#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

#include "base/check.h"
#include "base/checked_math.h"

namespace llama_gpu {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

// What a character's first byte says; size 0: no character starts so.
struct LeadByte {
  size_t size_bytes = 0;
  uint8_t second_min = 0x80;  // the second byte's bounds keep out overlong forms and surrogates
  uint8_t second_max = 0xBF;
};

LeadByte lead_byte(uint8_t byte) {
  if (byte < 0x80) return {1};
  if (byte >= 0xC2 && byte <= 0xDF) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

// Whether a character must not reach a terminal or a log as it is.
bool needs_escape(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x061C || c == 0x200E || c == 0x200F || c == 0x2028 ||
         c == 0x2029 || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

void append_escaped(std::string& out, std::string_view bytes, const Utf8Char& c) {
  if (!c.is_valid) {
    for (char byte : bytes.substr(0, c.size_bytes)) out += fmt::format("\\x{:02x}", uint8_t(byte));
  } else if (c.code_point == '\n') {
    out += "\\n";
  } else if (c.code_point == '\r') {
    out += "\\r";
  } else if (c.code_point == '\t') {
    out += "\\t";
  } else if (c.code_point == '\\') {
    out += "\\\\";
  } else if (c.code_point < 0x80) {
    out += fmt::format("\\x{:02x}", uint32_t(c.code_point));
  } else {
    out += fmt::format("\\u{{{:04x}}}", uint32_t(c.code_point));
  }
}

}  // namespace

Utf8Char first_utf8_char(std::string_view bytes) {
  if (bytes.empty()) return {};
  const auto byte_at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const LeadByte lead = lead_byte(byte_at(0));
  if (lead.size_bytes == 0) return {kReplacement, 1};
  if (lead.size_bytes == 1) return {byte_at(0), 1, true};

  char32_t code_point = byte_at(0) & (0x7F >> lead.size_bytes);
  for (size_t i = 1; i < lead.size_bytes; ++i) {
    if (i == bytes.size()) return {kReplacement, i, false, true};
    const uint8_t low = i == 1 ? lead.second_min : 0x80, high = i == 1 ? lead.second_max : 0xBF;
    if (byte_at(i) < low || byte_at(i) > high) return {kReplacement, i};
    code_point = (code_point << 6) | (byte_at(i) & 0x3FU);
  }
  return {code_point, lead.size_bytes, true};
}

bool is_valid_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Char c = first_utf8_char(bytes);
    if (!c.is_valid) return false;
    bytes.remove_prefix(c.size_bytes);
  }
  return true;
}

std::string repair_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Char c = first_utf8_char(bytes);
    if (c.is_valid) {
      text.append(bytes.substr(0, c.size_bytes));
    } else {
      append_utf8(text, kReplacement);
    }
    bytes.remove_prefix(c.size_bytes);
  }
  return text;
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto tail = [&](int shift) { return char(0x80 | ((code_point >> shift) & 0x3F)); };
  CHECK(code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF), "not a Unicode scalar value");
  if (code_point < 0x80) {
    text += char(code_point);
  } else if (code_point < 0x800) {
    text += {char(0xC0 | (code_point >> 6)), tail(0)};
  } else if (code_point < 0x10000) {
    text += {char(0xE0 | (code_point >> 12)), tail(6), tail(0)};
  } else {
    text += {char(0xF0 | (code_point >> 18)), tail(12), tail(6), tail(0)};
  }
}

std::string_view utf8_prefix(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  // A character has at most three bytes after its first.
  for (int i = 0; i < 3 && end > 0 && (uint8_t(text[end]) & 0xC0) == 0x80; ++i) --end;
  return text.substr(0, end);
}

std::string escape_line(std::string_view text, size_t max_bytes) {
  const std::string_view kept = utf8_prefix(text, max_bytes);
  std::string out;
  out.reserve(kept.size());
  for (std::string_view rest = kept; !rest.empty();) {
    const Utf8Char c = first_utf8_char(rest);
    if (!c.is_valid || c.code_point == '\\' || needs_escape(c.code_point)) {
      append_escaped(out, rest, c);
    } else {
      out.append(rest.substr(0, c.size_bytes));
    }
    rest.remove_prefix(c.size_bytes);
  }
  if (kept.size() < text.size()) out += fmt::format("...(+{} bytes)", text.size() - kept.size());
  return out;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (std::string_view rest = text; !rest.empty();) {
    const Utf8Char c = first_utf8_char(rest);
    if (c.code_point == '"' || c.code_point == '\\') {
      out += {'\\', char(c.code_point)};
    } else if (c.is_valid && needs_escape(c.code_point)) {
      out += fmt::format("\\u{:04x}", uint32_t(c.code_point));
    } else {
      append_utf8(out, c.code_point);
    }
    rest.remove_prefix(c.size_bytes);
  }
  return out + '"';
}

namespace {

// Damerau-Levenshtein distance with adjacent swaps, by three rows.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), previous(b.size() + 1), current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string_view> known) {
  // Names come from outside: one longer than any of ours is a match for none, and costs nothing.
  constexpr size_t kMaxNameBytes = 128;
  if (name.size() > kMaxNameBytes) return std::nullopt;
  const std::string wanted = to_lower(name);
  // A third of the letters wrong is still a slip; more is another word.
  size_t best = std::max<size_t>(2, name.size() / 3) + 1;
  std::optional<std::string> nearest;
  for (std::string_view candidate : known) {
    const size_t distance = edit_distance(wanted, to_lower(candidate));
    if (distance < best && distance < std::max(name.size(), candidate.size())) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> known) {
  const std::optional<std::string> nearest = nearest_name(name, known);
  return nearest ? "; did you mean '" + *nearest + "'?" : "";
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t end = text.find(separator); end != std::string_view::npos; end = text.find(separator)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

std::pair<std::string_view, std::string_view> split_once(std::string_view text, char separator) {
  const size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  }
  return lower;
}

std::string join(std::span<const std::string_view> parts, std::string_view separator) {
  std::string joined;
  for (size_t i = 0; i < parts.size(); ++i) joined.append(i == 0 ? "" : separator).append(parts[i]);
  return joined;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<int64_t> parse_size(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<int64_t> number = parse_integer(text.substr(0, digits));
  if (!number) return std::nullopt;
  std::string unit = to_lower(trim(text.substr(digits)));
  if (unit.empty() || unit == "b") return number;

  const size_t power = std::string_view("kmgt").find(unit[0]);
  if (power == std::string_view::npos) return std::nullopt;
  const std::string_view suffix = std::string_view(unit).substr(1);
  if (!suffix.empty() && suffix != "b" && suffix != "ib") return std::nullopt;
  int64_t factor = 1;
  for (size_t i = 0; i <= power; ++i) factor *= suffix == "ib" ? 1024 : 1000;
  return checked_mul(*number, factor);
}

std::string format_size(uint64_t size_bytes) {
  constexpr std::array kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (size_bytes < 1000) return fmt::format("{} B", size_bytes);
  double value = double(size_bytes) / 1000;
  size_t unit = 0;
  // 999.95 would be shown as "1000.0".
  for (; value >= 999.95 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_count(uint64_t count) {
  std::string digits = std::to_string(count);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string format_seconds(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", std::max(seconds, 0.0));
  const auto whole = std::llround(std::min(seconds, 1e9));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  return fmt::format("{}h {:02}m", whole / 3600, whole / 60 % 60);
}

std::string format_utc(int64_t unix_milliseconds) {
  // Rounded down also before 1970, so that the milliseconds are never negative.
  const int64_t milliseconds = ((unix_milliseconds % 1000) + 1000) % 1000;
  const std::time_t seconds = (unix_milliseconds - milliseconds) / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, milliseconds);
}

}  // namespace llama_gpu
