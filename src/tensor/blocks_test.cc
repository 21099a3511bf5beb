// SPDX-License-Identifier: Apache-2.0
#include "tensor/blocks.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

namespace llama_gpu {
namespace {

std::vector<std::byte> read_golden(const std::string& name) {
  std::ifstream in(LLAMAGPU_TESTDATA "/golden/dequant/" + name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// One bit pattern, or both a NaN: which NaN an operation makes is not specified.
testing::AssertionResult same_bits(float got, float want) {
  if (std::isnan(got) && std::isnan(want)) return testing::AssertionSuccess();
  if (std::bit_cast<uint32_t>(got) == std::bit_cast<uint32_t>(want)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << std::hexfloat << got << ", want " << want;
}

class Dequantize : public testing::TestWithParam<DTypeInfo> {};

TEST_P(Dequantize, EqualsTheSpecificationsOwnDequantiserBitForBit) {
  const std::string name(GetParam().name);
  const std::vector<std::byte> blocks = read_golden(name + ".blocks.bin");
  const std::vector<std::byte> expected_bytes = read_golden(name + ".values.bin");
  ASSERT_FALSE(blocks.empty());
  std::vector<float> expected(expected_bytes.size() / sizeof(float));
  std::memcpy(expected.data(), expected_bytes.data(), expected_bytes.size());

  std::vector<float> values(expected.size());
  dequantize(GetParam().dtype, blocks, values);

  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_TRUE(same_bits(values[i], expected[i])) << name << " value " << i;
  }
}

TEST_P(Dequantize, ReadsBlocksAtAnOddAddress) {
  std::vector<std::byte> blocks = read_golden(std::string(GetParam().name) + ".blocks.bin");
  const size_t num_values = blocks.size() / GetParam().block_bytes * GetParam().block_values;
  std::vector<float> aligned(num_values), odd(num_values);
  dequantize(GetParam().dtype, blocks, aligned);

  blocks.insert(blocks.begin(), std::byte{0});
  dequantize(GetParam().dtype, std::span(blocks).subspan(1), odd);

  EXPECT_EQ(std::memcmp(aligned.data(), odd.data(), num_values * sizeof(float)), 0);
}

INSTANTIATE_TEST_SUITE_P(AllTypes, Dequantize, testing::ValuesIn(all_dtypes().begin(), all_dtypes().end()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Dequantize, OfNothingWritesNothing) {
  for (const DTypeInfo& info : all_dtypes()) dequantize(info.dtype, {}, {});
}

TEST(DequantizeDeathTest, BytesOfAnotherLengthBreakTheContract) {
  std::vector<std::byte> bytes(19);
  std::vector<float> values(32);
  EXPECT_DEATH(dequantize(DType::kQ4_0, bytes, values), "another number of values");
}

TEST(Q4K, UnpacksEverySixBitScaleInEveryPlace) {
  const std::vector<std::byte> rows = read_golden("q4_k_scales.bin");
  ASSERT_EQ(rows.size(), 128u * 28);

  for (size_t row = 0; row < rows.size(); row += 28) {
    BlockQ4_K block{};
    std::memcpy(block.scales, &rows[row], sizeof(block.scales));
    for (int s = 0; s < 8; ++s) {
      const ScaleMin got = q4_k_scale_min(block, s);
      ASSERT_EQ(got.scale, std::to_integer<uint8_t>(rows[row + 12 + s]))
          << "row " << row << " sub-block " << s;
      ASSERT_EQ(got.min, std::to_integer<uint8_t>(rows[row + 20 + s])) << "row " << row << " sub-block " << s;
    }
  }
}

TEST(Half, WidensEveryValueExactly) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto exponent = static_cast<int>(bits >> 10);
    const int mantissa = static_cast<int>(bits & 0x3ff);
    const double exact =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    ASSERT_TRUE(same_bits(half_to_float(static_cast<uint16_t>(bits)), static_cast<float>(exact))) << bits;
    ASSERT_TRUE(same_bits(half_to_float(static_cast<uint16_t>(bits | 0x8000)), static_cast<float>(-exact)));
  }
  EXPECT_EQ(half_to_float(0x7c00), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(half_to_float(0x7e01)));
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const float low = half_to_float(static_cast<uint16_t>(bits));
    const float high = half_to_float(static_cast<uint16_t>(bits + 1));
    const float middle = (low + high) / 2;
    const uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    ASSERT_EQ(float_to_half(low), bits);
    ASSERT_EQ(float_to_half(middle), even) << bits;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0f)), bits);
    ASSERT_EQ(float_to_half(std::nextafter(middle, high)), bits + 1);
    ASSERT_EQ(float_to_half(-middle), even | 0x8000);
  }
}

TEST(Half, RoundsWhatIsTooLargeToInfinityAndKeepsNaN) {
  EXPECT_EQ(float_to_half(65504), 0x7bff);
  EXPECT_EQ(float_to_half(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(float_to_half(65520), 0x7c00);
  EXPECT_EQ(float_to_half(-std::numeric_limits<float>::infinity()), 0xfc00);
  EXPECT_TRUE(std::isnan(half_to_float(float_to_half(std::bit_cast<float>(0x7f800001)))));
  EXPECT_EQ(float_to_half(-0.0f), 0x8000);
}

TEST(Bfloat16, RoundsToTheNearestAndTiesToEven) {
  for (uint32_t bits = 0; bits < 0x7f7f; ++bits) {
    const float low = bfloat16_to_float(static_cast<uint16_t>(bits));
    const float middle = std::bit_cast<float>(bits << 16 | 0x8000);
    ASSERT_EQ(float_to_bfloat16(low), bits);
    ASSERT_EQ(float_to_bfloat16(middle), bits % 2 == 0 ? bits : bits + 1) << bits;
    ASSERT_EQ(float_to_bfloat16(std::bit_cast<float>(bits << 16 | 0x7fff)), bits);
    ASSERT_EQ(float_to_bfloat16(std::bit_cast<float>(bits << 16 | 0x8001)), bits + 1);
  }
}

TEST(Bfloat16, RoundsWhatIsTooLargeToInfinityAndKeepsNaN) {
  EXPECT_EQ(float_to_bfloat16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(float_to_bfloat16(-std::numeric_limits<float>::infinity()), 0xff80);
  EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(std::bit_cast<float>(0x7f800001)))));
}

}  // namespace
}  // namespace llama_gpu
