// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace llama_gpu::text::jinja {

// What Python's str knows about characters. All text that templates handle is valid UTF-8: source and
// variables are checked once, and every operation cuts at character borders.

// Bytes of the character at `pos`. REQUIRES: pos < text.size().
size_t char_size(std::string_view text, size_t pos);
char32_t char_at(std::string_view text, size_t pos);
// Start of the character before `pos`. REQUIRES: 0 < pos <= text.size().
size_t previous_char(std::string_view text, size_t pos);
size_t count_chars(std::string_view text);
// Byte offset of the character `index`; text.size() from the end on.
size_t char_offset(std::string_view text, size_t index);

// As str.isspace() of Python.
bool is_space(char32_t code);
// Whether repr() shows the character as it is.
bool is_printable(char32_t code);
bool is_alpha(char32_t code);
bool is_digit(char32_t code);
bool is_upper(char32_t code);
bool is_lower(char32_t code);
// Upper, lower or title case.
bool is_cased(char32_t code);
bool is_identifier_start(char32_t code);
bool is_identifier_part(char32_t code);

// Full case mappings of the character at `pos`, which may be several characters; lower case looks at the
// neighbours because a sigma at the end of a word has a form of its own.
std::string upper_at(std::string_view text, size_t pos);
std::string lower_at(std::string_view text, size_t pos);
std::string title_at(std::string_view text, size_t pos);

}  // namespace llama_gpu::text::jinja
