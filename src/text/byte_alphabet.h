// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llama_gpu::text {

// The alphabet in which byte-level BPE files spell bytes: each byte is one printable character, so that a
// vocabulary is plain text. Bytes that are printable in Latin-1 stand for themselves, the others take U+0100
// and up in order: a space is spelled U+0120.

// The character that spells `byte`, as UTF-8.
std::string spell_byte(uint8_t byte);

// The bytes that `spelling` stands for; nullopt where a character of it is not of the alphabet.
std::optional<std::string> unspell_bytes(std::string_view spelling);

}  // namespace llama_gpu::text
