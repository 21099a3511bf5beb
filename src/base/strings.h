// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llama_gpu {

// The first character of some bytes.
struct Utf8Char {
  char32_t code_point = 0;  // U+FFFD where the bytes are not UTF-8
  size_t size_bytes = 0;    // of the character, or of the bytes that one U+FFFD stands for; 0 for no bytes
  bool is_valid = false;
  bool is_incomplete = false;  // invalid only because the bytes end too early
};

// Reads one character; overlong forms, surrogates and values over U+10FFFF are invalid. A broken character
// takes its longest valid beginning, as Unicode recommends and Python's "replace" does.
Utf8Char first_utf8_char(std::string_view bytes);

// Without broken characters, see first_utf8_char.
bool is_valid_utf8(std::string_view bytes);
// A copy in which each broken character is U+FFFD.
std::string repair_utf8(std::string_view bytes);
// Appends the UTF-8 form. REQUIRES: a Unicode scalar value.
void append_utf8(std::string& text, char32_t code_point);
// The longest beginning of `text` of at most `max_bytes` that cuts no character in two.
std::string_view utf8_prefix(std::string_view text, size_t max_bytes);

// A copy fit for one line of a terminal or log: control characters (ANSI and line ends among them),
// characters that turn the direction of text, and bytes that are not UTF-8 are written as \n, \xHH or
// \u{HHHH}; a backslash is doubled. What is longer than `max_bytes` is cut and says by how much.
std::string escape_line(std::string_view text, size_t max_bytes = 4096);
// As a JSON string, quotes included; everything that escape_line escapes is escaped, too.
std::string json_string(std::string_view text);

// The name closest to `name` by edits (insert, delete, replace, swap neighbours; case is not an edit), or
// nullopt where none is close enough to have been meant.
std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string_view> known);
// "; did you mean 'port'?" or "".
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);

// Parts between separators; empty parts count, an empty text has one.
std::vector<std::string_view> split(std::string_view text, char separator);
// Around the first separator; the second part is empty where there is none.
std::pair<std::string_view, std::string_view> split_once(std::string_view text, char separator);
// Without ASCII white space at both ends.
std::string_view trim(std::string_view text);
// ASCII only.
std::string to_lower(std::string_view text);
std::string join(std::span<const std::string_view> parts, std::string_view separator);

// Decimal numbers; nullopt where the whole text is not one, or does not fit. A number is finite.
std::optional<int64_t> parse_integer(std::string_view text);
std::optional<double> parse_number(std::string_view text);
// Bytes: "8388608", "8MiB", "8 MB"; units k, M, G, T with an optional B (powers of 1000) or iB (of 1024).
std::optional<int64_t> parse_size(std::string_view text);

// "98.4 MB" in powers of 1000, "512 B" below.
std::string format_size(uint64_t size_bytes);
// "1,234,567"
std::string format_count(uint64_t count);
// "0.8 s", "42 s", "3m 05s", "2h 07m"
std::string format_seconds(double seconds);
// "2026-11-22T21:24:00.123Z"
std::string format_utc(int64_t unix_milliseconds);

}  // namespace llama_gpu
