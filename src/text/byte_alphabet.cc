// SPDX-License-Identifier: Apache-2.0
#include "text/byte_alphabet.h"

#include <array>

#include "base/strings.h"

namespace llama_gpu::text {
namespace {

constexpr uint32_t kAlphabetEnd = 0x144;  // 256 bytes, 68 of them not printable: U+0100 + 68

constexpr bool is_printable(uint32_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

constexpr std::array<uint16_t, 256> make_code_points() {
  std::array<uint16_t, 256> code_points{};
  uint16_t next = 0x100;
  for (uint16_t byte = 0; byte < 256; ++byte) code_points[byte] = is_printable(byte) ? byte : next++;
  return code_points;
}

constexpr std::array<uint16_t, 256> kCodePoints = make_code_points();

constexpr std::array<int16_t, kAlphabetEnd> make_bytes() {
  std::array<int16_t, kAlphabetEnd> bytes{};
  bytes.fill(-1);
  for (int16_t byte = 0; byte < 256; ++byte) bytes[kCodePoints[static_cast<size_t>(byte)]] = byte;
  return bytes;
}

constexpr std::array<int16_t, kAlphabetEnd> kBytes = make_bytes();

}  // namespace

std::string spell_byte(uint8_t byte) {
  std::string spelling;
  append_utf8(spelling, kCodePoints[byte]);
  return spelling;
}

std::optional<std::string> unspell_bytes(std::string_view spelling) {
  std::string bytes;
  while (!spelling.empty()) {
    const Utf8Char c = first_utf8_char(spelling);
    if (!c.is_valid || c.code_point >= kAlphabetEnd) return std::nullopt;
    const int16_t byte = kBytes[c.code_point];
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
    spelling.remove_prefix(c.size_bytes);
  }
  return bytes;
}

}  // namespace llama_gpu::text
