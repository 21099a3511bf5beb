// SPDX-License-Identifier: Apache-2.0
//
// The specification itself against results worked out by hand: everything else is compared with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "ops/reference/reference_backend.h"

namespace llama_gpu {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

class Reference : public ::testing::Test {
 protected:
  std::unique_ptr<const Weight> weight(int64_t rows, int64_t cols, const std::vector<float>& values) {
    return backend_->pack({DType::kF32, rows, cols, std::as_bytes(std::span(values))}).value();
  }
  const OpTable& ops() { return backend_->ops(); }

  std::unique_ptr<Backend> backend_ = make_reference_backend({}).value();
  std::unique_ptr<Stream> stream_ = backend_->device().create_stream();
};

MatrixView<float> rows(std::vector<float>& values, int64_t count) {
  return {values.data(), count, std::ssize(values) / count};
}

TEST_F(Reference, EmbedCopiesTheRowsOfTheTokens) {
  const auto table = weight(3, 2, {1, 2, 3, 4, 5, 6});
  const std::vector<TokenId> tokens = {2, 0};
  std::vector<float> y(4);

  ops().embed(*stream_, {*table, tokens, rows(y, 2)});

  EXPECT_THAT(y, ElementsAre(5, 6, 1, 2));
}

TEST_F(Reference, RmsNormDividesByTheRootMeanSquare) {
  const auto scale = weight(1, 2, {1, 10});
  std::vector<float> x = {3, 4};  // mean of squares 12.5

  ops().rms_norm(*stream_, {rows(x, 1), *scale, 0.0f, rows(x, 1)});

  EXPECT_THAT(x, Pointwise(FloatNear(1e-6f), {3 / std::sqrt(12.5f), 40 / std::sqrt(12.5f)}));
}

TEST_F(Reference, LinearMultipliesByTheTransposedWeightAndAddsWhereAsked) {
  const auto product = weight(2, 5, {1, 2, 3, 4, 5, 0, 0, 0, 0, 1});
  std::vector<float> x = {1, 1, 1, 1, 10}, y = {7, 7}, sum = {7, 7};
  const LinearTarget targets[] = {{product.get(), rows(y, 1)}, {product.get(), rows(sum, 1), true}};

  ops().linear(*stream_, {rows(x, 1), targets});

  EXPECT_THAT(y, ElementsAre(60, 10));
  EXPECT_THAT(sum, ElementsAre(67, 17));
}

TEST_F(Reference, RopeTurnsPairsByPositionTimesFrequency) {
  const std::vector<int32_t> positions = {1};
  const std::vector<double> frequencies = {std::numbers::pi / 2, std::numbers::pi};  // 90 and 180 degrees
  std::vector<float> angles(4), adjacent = {1, 2, 3, 4}, halves = {1, 2, 3, 4};

  ops().rope_angles(*stream_, {positions, frequencies, rows(angles, 1)});
  ops().rope(*stream_, {rows(adjacent, 1), rows(angles, 1), 4, RopePairing::kAdjacent});
  ops().rope(*stream_, {rows(halves, 1), rows(angles, 1), 4, RopePairing::kHalves});

  EXPECT_THAT(angles, Pointwise(FloatNear(1e-6f), {0, 1, -1, 0}));
  EXPECT_THAT(adjacent, Pointwise(FloatNear(1e-6f), {-2, 1, -3, -4}));
  EXPECT_THAT(halves, Pointwise(FloatNear(1e-6f), {-3, -2, 1, -4}));
}

TEST_F(Reference, AttentionMixesTheValuesUpToItsOwnPosition) {
  const KvGeometry geometry = {.num_kv_heads = 1, .head_dim = 2, .block_tokens = 16};
  const int64_t block_bytes = backend_->kv_block_bytes(geometry);
  const Buffer memory = backend_->device().allocate(static_cast<size_t>(2 * block_bytes)).value();
  const KvLayer kv = {memory.data(), block_bytes, geometry};
  const std::vector<BlockId> blocks = {1};
  const SequenceRows sequence = {.first_row = 0, .num_rows = 2, .first_position = 0, .block_table = blocks};
  const StepLayout layout = {.tokens = {}, .positions = {}, .sequences = {&sequence, 1}, .output_rows = {}};
  const float log3 = std::log(3.0f);
  std::vector<float> k = {0, 0, log3, 0}, v = {4, 8, 0, 4}, q = {1, 0, 2, 0}, y(4);

  ops().begin_step(*stream_, layout);
  ops().kv_write(*stream_, {rows(k, 2), rows(v, 2), layout, kv});
  ops().attention(*stream_, {rows(q, 2), layout, kv, 0.5f, rows(y, 2)});

  // Row 0 sees itself only; row 1 weighs the two as 1 : 3.
  EXPECT_THAT(y, Pointwise(FloatNear(1e-6f), {4, 8, 1, 5}));
}

TEST_F(Reference, SwigluGatesWithTheSigmoid) {
  std::vector<float> gate = {0, std::log(3.0f)}, up = {5, 4}, y(2);

  ops().swiglu(*stream_, {rows(gate, 1), rows(up, 1), rows(y, 1)});

  EXPECT_THAT(y, Pointwise(FloatNear(1e-6f), {0.0f, 3 * std::log(3.0f)}));
}

TEST_F(Reference, GatherCopiesRows) {
  std::vector<float> x = {1, 2, 3, 4, 5, 6}, y(4);
  const std::vector<int32_t> wanted = {0, 2};

  ops().gather_rows(*stream_, {rows(x, 3), wanted, rows(y, 2)});

  EXPECT_THAT(y, ElementsAre(1, 2, 5, 6));
}

TEST_F(Reference, PackedWeightSaysWhatTheFileHeld) {
  const auto packed = weight(2, 3, {1, 2, 3, 4, 5, 6});

  EXPECT_EQ(packed->rows(), 2);
  EXPECT_EQ(packed->cols(), 3);
  EXPECT_EQ(packed->dtype(), DType::kF32);
  EXPECT_EQ(packed->size_bytes(), 24u);
}

}  // namespace
}  // namespace llama_gpu
