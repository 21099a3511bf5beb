// SPDX-License-Identifier: Apache-2.0
#include "text/utf8.h"

namespace llama_gpu::text {
namespace {

// What may follow a lead byte, by table 3-7 of the Unicode standard: it bounds the second byte so that
// overlong forms, surrogates and values above U+10FFFF are broken at that byte already.
struct Lead {
  size_t size_bytes;
  uint8_t second_min = 0x80;
  uint8_t second_max = 0xBF;
};

Lead lead_of(uint8_t byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2) return {0};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

Utf8Unit first_utf8_unit(std::string_view text) {
  const auto byte_at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const Lead lead = lead_of(byte_at(0));
  if (lead.size_bytes == 0) return {};
  if (lead.size_bytes == 1) return {Utf8State::kValid, byte_at(0), 1};
  uint32_t code_point = byte_at(0) & (0x7Fu >> lead.size_bytes);
  for (size_t i = 1; i < lead.size_bytes; ++i) {
    if (i == text.size()) return {Utf8State::kIncomplete, 0xFFFD, i};
    const uint8_t low = i == 1 ? lead.second_min : uint8_t{0x80};
    const uint8_t high = i == 1 ? lead.second_max : uint8_t{0xBF};
    if (byte_at(i) < low || byte_at(i) > high) return {Utf8State::kInvalid, 0xFFFD, i};
    code_point = code_point << 6 | (byte_at(i) & 0x3Fu);
  }
  return {Utf8State::kValid, code_point, lead.size_bytes};
}

size_t valid_utf8_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const Utf8Unit unit = first_utf8_unit(text.substr(at));
    if (unit.state != Utf8State::kValid) break;
    at += unit.size_bytes;
  }
  return at;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t valid_bytes = valid_utf8_prefix(text);
    out += text.substr(0, valid_bytes);
    text.remove_prefix(valid_bytes);
    if (text.empty()) break;
    out += kReplacement;
    text.remove_prefix(first_utf8_unit(text).size_bytes);
  }
  return out;
}

std::string encode_utf8(uint32_t code_point) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80u | (code_point >> shift & 0x3Fu)); };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xC0u | code_point >> 6), tail(0)};
  if (code_point < 0x10000) return {static_cast<char>(0xE0u | code_point >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0u | code_point >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace llama_gpu::text
