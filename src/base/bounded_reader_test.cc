// SPDX-License-Identifier: Apache-2.0
#include "base/bounded_reader.h"

#include <gtest/gtest.h>

#include <array>

namespace llama_gpu {
namespace {

constexpr std::array kBytes = {std::byte{1}, std::byte{2}, std::byte{0}, std::byte{0}, std::byte{9}};

TEST(BoundedReader, ReadsLittleEndianValuesInOrder) {
  BoundedReader reader(kBytes, ErrorCode::kModelTruncated);

  EXPECT_EQ(*reader.read<uint32_t>("version"), 0x201U);
  EXPECT_EQ(reader.offset(), 4U);
  EXPECT_EQ(*reader.read<uint8_t>("kind"), 9);
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(BoundedReader, RefusesToReadPastTheEndAndNamesTheField) {
  BoundedReader reader(kBytes, ErrorCode::kModelTruncated);
  ASSERT_TRUE(reader.read_bytes(3, "magic").ok());

  const auto result = reader.read<uint32_t>("tensor count");

  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kModelTruncated);
  EXPECT_EQ(result.error().message, "tensor count needs 4 bytes, the input has 2 left");
  EXPECT_EQ(result.error().byte_offset, 3U);
  EXPECT_EQ(reader.offset(), 3U);
}

TEST(BoundedReader, DoesNotOverflowOnAHugeLength) {
  BoundedReader reader(kBytes, ErrorCode::kModelTruncated);
  ASSERT_TRUE(reader.read_bytes(1, "magic").ok());

  EXPECT_FALSE(reader.read_bytes(~uint64_t{0}, "name").ok());
  EXPECT_TRUE(reader.read_bytes(0, "nothing").ok());
  EXPECT_EQ(reader.remaining(), 4U);
}

}  // namespace
}  // namespace llama_gpu
