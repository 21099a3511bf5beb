// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace llama_gpu::text {

// What a text of unknown bytes begins with.
enum class Utf8State : uint8_t {
  kValid,       // a whole character
  kInvalid,     // bytes that no character begins with, as long as they could have become one
  kIncomplete,  // the text ends inside a character that more bytes could finish
};

// The character or broken sequence at a text's front.
struct Utf8Unit {
  Utf8State state = Utf8State::kInvalid;
  uint32_t code_point = 0xFFFD;
  size_t size_bytes = 1;
};

// The first unit of `text`. REQUIRES: `text` is not empty.
Utf8Unit first_utf8_unit(std::string_view text);

// How many bytes of `text`, from its front, are whole characters.
size_t valid_utf8_prefix(std::string_view text);

// `text` with each broken unit, and an unfinished one at its end, replaced by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

// A code point as UTF-8. REQUIRES: not a surrogate, <= 0x10FFFF.
std::string encode_utf8(uint32_t code_point);

}  // namespace llama_gpu::text
