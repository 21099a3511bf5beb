// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "backends/cpu/isa_levels.h"

namespace llama_gpu::cpu {
namespace {

// Every instruction set of this machine.
class QuantizeRow : public ::testing::TestWithParam<std::string_view> {
 protected:
  static std::vector<ActivationBlock> quantize(const std::vector<float>& row, float fine_from) {
    std::vector<ActivationBlock> blocks(row.size() / kBlockCols);
    choose_kernels(GetParam()).value()->quantize_row(row.data(), std::ssize(row), fine_from, blocks.data());
    return blocks;
  }
  // Four blocks between -1 and 1, the third ten times as large.
  static std::vector<float> uneven_row() {
    std::vector<float> row(4 * kBlockCols);
    for (size_t i = 0; i < row.size(); ++i)
      row[i] = static_cast<float>(std::sin(1.7 * static_cast<double>(i)));
    for (size_t i = 64; i < 96; ++i) row[i] *= 10;
    return row;
  }
  static double value(const ActivationBlock& block, size_t i) {
    return double{block.scale} * (block.q[i] + static_cast<double>(block.fine[i]) / kFineSteps);
  }
};

TEST_P(QuantizeRow, GivesMoreBitsToTheBlocksThatStandOut) {
  const std::vector<float> row = uneven_row();

  const std::vector<ActivationBlock> blocks = quantize(row, 1.5F);

  for (size_t b = 0; b < blocks.size(); ++b) {
    EXPECT_EQ(blocks[b].is_fine, b == 2 ? 1 : 0);
    const double step = double{blocks[b].scale} / (b == 2 ? kFineSteps : 1);
    for (size_t i = 0; i < 32; ++i) EXPECT_NEAR(value(blocks[b], i), row[32 * b + i], 0.501 * step);
  }
}

TEST_P(QuantizeRow, GivesThemToAllFromZeroOn) {
  for (const ActivationBlock& block : quantize(uneven_row(), 0)) EXPECT_EQ(block.is_fine, 1);
}

TEST_P(QuantizeRow, KnowsTheSumsOfWhatItStores) {
  for (const ActivationBlock& block : quantize(uneven_row(), 1.5F)) {
    int32_t sums[2] = {}, fine_sums[2] = {};
    double total = 0;
    for (size_t i = 0; i < 32; ++i) {
      sums[i / 16] += block.q[i];
      fine_sums[i / 16] += block.fine[i];
      total += value(block, i);
    }
    for (size_t half = 0; half < 2; ++half) {
      EXPECT_EQ(block.sums[half], sums[half]);
      EXPECT_EQ(block.fine_sums[half], fine_sums[half]);
    }
    EXPECT_EQ(block.fine_scale * kFineSteps, block.scale);
    EXPECT_FLOAT_EQ(block.scaled_sum, static_cast<float>(total));
  }
}

TEST_P(QuantizeRow, TakesNumbersNearTheEndOfTheRangeForZero) {
  const ActivationBlock block = quantize(std::vector<float>(32, 0x1p-140F), 1.5F)[0];

  EXPECT_EQ(block.scale, 0.0F);
  EXPECT_EQ(block.q[0], 0);
  EXPECT_EQ(block.scaled_sum, 0.0F);
}

TEST_P(QuantizeRow, HidesNoValueThatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> row = uneven_row();
    row[40] = bad;

    const std::vector<ActivationBlock> blocks = quantize(row, 1.5F);

    EXPECT_TRUE(std::isfinite(blocks[0].scale));
    EXPECT_FALSE(std::isfinite(blocks[1].scale * static_cast<float>(blocks[1].sums[0])));
    EXPECT_FALSE(std::isfinite(blocks[1].scaled_sum));
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, QuantizeRow, ::testing::ValuesIn(supported_isas()),
                         [](const auto& isa) { return std::string(isa.param); });

}  // namespace
}  // namespace llama_gpu::cpu
