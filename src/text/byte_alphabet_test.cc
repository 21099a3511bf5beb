// SPDX-License-Identifier: Apache-2.0
#include "text/byte_alphabet.h"

#include <gtest/gtest.h>

#include <set>

namespace llama_gpu::text {
namespace {

TEST(ByteAlphabet, SpellsEachByteByItsOwnCharacter) {
  std::set<std::string> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string spelling = spell_byte(static_cast<uint8_t>(byte));

    EXPECT_TRUE(seen.insert(spelling).second) << byte;
    EXPECT_EQ(unspell_bytes(spelling), std::string(1, static_cast<char>(byte)));
  }
}

TEST(ByteAlphabet, SpellsPrintableBytesByThemselvesAndASpaceAsUsual) {
  EXPECT_EQ(spell_byte('A'), "A");
  EXPECT_EQ(spell_byte(' '), "\u0120");
  EXPECT_EQ(spell_byte('\n'), "\u010A");
  EXPECT_EQ(spell_byte(0xFF), "\u00FF");
}

TEST(ByteAlphabet, ReadsNoOtherCharacters) {
  EXPECT_EQ(unspell_bytes("a b"), std::nullopt);
  EXPECT_EQ(unspell_bytes("\u2581"), std::nullopt);
  EXPECT_EQ(unspell_bytes("\xFF"), std::nullopt);
  EXPECT_EQ(unspell_bytes(""), "");
}

}  // namespace
}  // namespace llama_gpu::text
