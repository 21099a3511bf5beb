// SPDX-License-Identifier: Apache-2.0
#include "text/byte_alphabet.h"

#include <array>

#include "base/strings.h"

namespace llama_gpu::text {
namespace {

constexpr size_t kAlphabetEnd = 0x144;  // 256 bytes, 68 of them not printable: U+0100 + 68

bool is_printable(size_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<uint16_t, 256> code_point_of{};
  std::array<int16_t, kAlphabetEnd> byte_of{};  // negative: not of the alphabet

  Alphabet() {
    byte_of.fill(-1);
    uint16_t next = 0x100;
    for (size_t byte = 0; byte < code_point_of.size(); ++byte) {
      code_point_of[byte] = is_printable(byte) ? static_cast<uint16_t>(byte) : next++;
      byte_of[code_point_of[byte]] = static_cast<int16_t>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet made;
  return made;
}

}  // namespace

std::string spell_byte(uint8_t byte) {
  std::string spelling;
  append_utf8(spelling, alphabet().code_point_of[byte]);
  return spelling;
}

std::optional<std::string> unspell_bytes(std::string_view spelling) {
  std::string bytes;
  while (!spelling.empty()) {
    const Utf8Char c = first_utf8_char(spelling);
    if (!c.is_valid || c.code_point >= kAlphabetEnd) return std::nullopt;
    const int16_t byte = alphabet().byte_of[c.code_point];
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
    spelling.remove_prefix(c.size_bytes);
  }
  return bytes;
}

}  // namespace llama_gpu::text
