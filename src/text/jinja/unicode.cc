// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace llama_gpu::text::jinja {
namespace {

constexpr char32_t kCapitalDottedI = 0x130, kCapitalSharpS = 0x1E9E, kSmallSharpS = 0xDF,
                   kNPrecededByApostrophe = 0x149;
constexpr char32_t kCapitalSigma = 0x3A3;

const auto* as_utf8proc(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

utf8proc_category_t category(char32_t code) { return utf8proc_category(static_cast<utf8proc_int32_t>(code)); }

char32_t simple(utf8proc_int32_t (*map)(utf8proc_int32_t), char32_t code) {
  return static_cast<char32_t>(map(static_cast<utf8proc_int32_t>(code)));
}

std::string encode(char32_t code) {
  std::string out;
  append_utf8(out, code);
  return out;
}

bool is_between(char32_t code, char32_t first, char32_t last) { return first <= code && code <= last; }

// The characters that a case folding gives; more than one only where the upper case, too, is written with
// more.
size_t fold(char32_t code, std::array<utf8proc_int32_t, 8>& folded) {
  int last_bound_class = 0;
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), folded.data(),
                                             static_cast<utf8proc_ssize_t>(folded.size()), UTF8PROC_CASEFOLD,
                                             &last_bound_class);
  return count < 0 ? 0 : static_cast<size_t>(count);
}

bool is_case_ignorable(char32_t code) {
  constexpr std::u32string_view kPunctuation = U"'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027";
  const auto kind = category(code);
  return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_ME || kind == UTF8PROC_CATEGORY_CF ||
         kind == UTF8PROC_CATEGORY_LM || kind == UTF8PROC_CATEGORY_SK ||
         kPunctuation.find(code) != kPunctuation.npos;
}

// Whether a capital sigma at `pos` ends a word: a letter stands before it and none behind, marks not counted.
bool ends_word(std::string_view text, size_t pos) {
  size_t before = pos;
  while (before > 0 && is_case_ignorable(char_at(text, previous_char(text, before))))
    before = previous_char(text, before);
  if (before == 0 || !is_cased(char_at(text, previous_char(text, before)))) return false;
  size_t after = pos + char_size(text, pos);
  while (after < text.size() && is_case_ignorable(char_at(text, after))) after += char_size(text, after);
  return after == text.size() || !is_cased(char_at(text, after));
}

}  // namespace

size_t char_size(std::string_view text, size_t pos) {
  const auto lead = static_cast<unsigned char>(text[pos]);
  const size_t size = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return std::min(size, text.size() - pos);
}

char32_t char_at(std::string_view text, size_t pos) {
  if (static_cast<unsigned char>(text[pos]) < 0x80) return static_cast<unsigned char>(text[pos]);
  utf8proc_int32_t code = 0;
  utf8proc_iterate(as_utf8proc(text) + pos, static_cast<utf8proc_ssize_t>(text.size() - pos), &code);
  return static_cast<char32_t>(code);
}

size_t previous_char(std::string_view text, size_t pos) {
  do {
    --pos;
  } while (pos > 0 && (static_cast<unsigned char>(text[pos]) & 0xC0) == 0x80);
  return pos;
}

size_t count_chars(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

size_t char_offset(std::string_view text, size_t index) {
  size_t pos = 0;
  while (index > 0 && pos < text.size()) {
    pos += char_size(text, pos);
    --index;
  }
  return pos;
}

bool is_space(char32_t code) {
  return is_between(code, 0x09, 0x0D) || is_between(code, 0x1C, 0x20) || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || is_between(code, 0x2000, 0x200A) || code == 0x2028 || code == 0x2029 ||
         code == 0x202F || code == 0x205F || code == 0x3000;
}

bool is_printable(char32_t code) {
  if (code == ' ') return true;
  const auto kind = category(code);
  const bool is_separator = is_between(kind, UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_ZP);
  const bool is_other =
      is_between(kind, UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CO) || kind == UTF8PROC_CATEGORY_CN;
  return !is_separator && !is_other;
}

bool is_alpha(char32_t code) {
  return is_between(category(code), UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO);
}
bool is_digit(char32_t code) { return category(code) == UTF8PROC_CATEGORY_ND; }
bool is_upper(char32_t code) { return utf8proc_isupper(static_cast<utf8proc_int32_t>(code)) != 0; }
bool is_lower(char32_t code) { return utf8proc_islower(static_cast<utf8proc_int32_t>(code)) != 0; }
bool is_cased(char32_t code) {
  return is_upper(code) || is_lower(code) || category(code) == UTF8PROC_CATEGORY_LT;
}

bool is_identifier_start(char32_t code) {
  return code == '_' || is_alpha(code) || category(code) == UTF8PROC_CATEGORY_NL;
}

bool is_identifier_part(char32_t code) {
  const auto kind = category(code);
  return is_identifier_start(code) || is_digit(code) || kind == UTF8PROC_CATEGORY_MN ||
         kind == UTF8PROC_CATEGORY_MC || kind == UTF8PROC_CATEGORY_PC;
}

std::string upper_at(std::string_view text, size_t pos) {
  const char32_t code = char_at(text, pos);
  std::array<utf8proc_int32_t, 8> folded;
  const size_t count =
      code < 0x80 || code == kCapitalDottedI || code == kCapitalSharpS ? 1 : fold(code, folded);
  if (count < 2) return encode(simple(utf8proc_toupper, code));
  std::string out;
  for (size_t i = 0; i < count; ++i)
    append_utf8(out, simple(utf8proc_toupper, static_cast<char32_t>(folded[i])));
  return out;
}

std::string lower_at(std::string_view text, size_t pos) {
  const char32_t code = char_at(text, pos);
  if (code == kCapitalDottedI) return "i\u0307";
  if (code == kCapitalSigma && ends_word(text, pos)) return "\u03c2";
  return encode(simple(utf8proc_tolower, code));
}

std::string title_at(std::string_view text, size_t pos) {
  const char32_t code = char_at(text, pos);
  if (code == kSmallSharpS) return "Ss";
  if (code == kNPrecededByApostrophe) return "\u02bcN";
  std::array<utf8proc_int32_t, 8> folded;
  const bool maps_to_itself = code >= 0x80 && code != kCapitalDottedI && code != kCapitalSharpS &&
                              simple(utf8proc_totitle, code) == code && is_lower(code);
  const size_t count = maps_to_itself ? fold(code, folded) : 1;
  if (count < 2) return encode(simple(utf8proc_totitle, code));
  std::string out = encode(simple(utf8proc_totitle, static_cast<char32_t>(folded[0])));
  for (size_t i = 1; i < count; ++i) append_utf8(out, static_cast<char32_t>(folded[i]));
  return out;
}

}  // namespace llama_gpu::text::jinja
