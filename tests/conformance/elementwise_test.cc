// SPDX-License-Identifier: Apache-2.0
//
// The ops that work on one row at a time.
#include <cmath>

#include "conformance/harness.h"
#include "conformance/tolerance.h"

namespace llama_gpu::conformance {
namespace {

constexpr DType kAllTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ4_0,
                               DType::kQ4_1, DType::kQ8_0, DType::kQ4_K, DType::kQ6_K};
// Partial vectors, one lane, whole vectors, rows enough for several threads.
constexpr struct {
  int64_t rows, cols;
} kShapes[] = {{1, 1}, {1, 16}, {3, 15}, {2, 65}, {17, 576}, {64, 1001}};

TEST_P(Conformance, EmbedGivesTheFilesValuesToTheBit) {
  Session candidate = open();
  for (const DType dtype : kAllTypes) {
    for (const int64_t vocab : {1, 2, 16, 37}) {
      const Tensor table = random_tensor(dtype, vocab, 512, 1);
      const std::vector<TokenId> tokens = {0, static_cast<TokenId>(vocab - 1),
                                           static_cast<TokenId>(vocab / 2)};
      Matrix got(3, 512, 5), want(3, 512);

      candidate.ops().embed(candidate.stream(), {candidate.pack(table), tokens, got.view()});

      for (int64_t i = 0; i < 3; ++i) {
        const std::vector<float> values = table.row(tokens[static_cast<size_t>(i)]);
        for (int64_t c = 0; c < 512; ++c) want.at(i, c) = values[static_cast<size_t>(c)];
      }
      EXPECT_TRUE(same_bits(got, want)) << dtype_info(dtype).name << ", vocabulary of " << vocab;
      EXPECT_TRUE(got.gaps_are_untouched());
    }
  }
}

TEST_P(Conformance, RmsNormMatchesTheReference) {
  Session candidate = open(), reference = reference_session();
  for (const auto [rows, cols] : kShapes) {
    const uint64_t seed = static_cast<uint64_t>(cols);
    Matrix x = random_matrix(rows, cols, seed, 3), got(rows, cols, 1), want(rows, cols);
    const Tensor weight = random_tensor(DType::kF32, 1, cols, seed + 1);

    reference.ops().rms_norm(reference.stream(), {x.view(), reference.pack(weight), 1e-5f, want.view()});
    candidate.ops().rms_norm(candidate.stream(), {x.view(), candidate.pack(weight), 1e-5f, got.view()});
    candidate.ops().rms_norm(candidate.stream(),
                             {x.view(), candidate.pack(weight), 1e-5f, x.view()});  // in place

    EXPECT_TRUE(near(got, want, seed, [&](int64_t r, int64_t c) {
      return rms_norm_tolerance(x.cols()) * std::abs(want.at(r, c));
    }));
    EXPECT_TRUE(same_bits(x, got));
  }
}

TEST_P(Conformance, RopeAnglesAreRoundedOnce) {
  Session candidate = open(), reference = reference_session();
  const std::vector<int32_t> positions = {0, 1, 17, 4095, 1000000};
  std::vector<double> frequencies;
  for (int i = 0; i < 33; ++i) frequencies.push_back(std::pow(10000.0, -i / 33.0));
  Matrix got(5, 66, 2), want(5, 66);

  reference.ops().rope_angles(reference.stream(), {positions, frequencies, want.view()});
  candidate.ops().rope_angles(candidate.stream(), {positions, frequencies, got.view()});

  EXPECT_TRUE(near(got, want, 0, [&](int64_t, int64_t) { return kFunctionTolerance; }));
}

TEST_P(Conformance, RopeMatchesTheReference) {
  Session candidate = open(), reference = reference_session();
  constexpr struct {
    int64_t rows, heads;
    int32_t head_dim;
    int64_t rotary_dim;
  } kHeads[] = {{1, 1, 2, 2}, {3, 2, 10, 6}, {5, 3, 64, 64}, {2, 9, 80, 40}, {70, 4, 128, 128}};
  for (const auto [rows, heads, head_dim, rotary_dim] : kHeads) {
    for (const RopePairing pairing : {RopePairing::kAdjacent, RopePairing::kHalves}) {
      const uint64_t seed = static_cast<uint64_t>(head_dim);
      Matrix got = random_matrix(rows, heads * head_dim, seed, 1),
             want = random_matrix(rows, heads * head_dim, seed);
      const Matrix before = got;
      Matrix angles(rows, rotary_dim, 3);
      std::vector<int32_t> positions;
      std::vector<double> frequencies;
      for (int64_t r = 0; r < rows; ++r) positions.push_back(static_cast<int32_t>(7 * r + 1));
      for (int64_t i = 0; i < rotary_dim / 2; ++i) frequencies.push_back(1.0 / static_cast<double>(i + 1));
      reference.ops().rope_angles(reference.stream(), {positions, frequencies, angles.view()});

      reference.ops().rope(reference.stream(), {want.view(), angles.view(), head_dim, pairing});
      candidate.ops().rope(candidate.stream(), {got.view(), angles.view(), head_dim, pairing});

      // The partner of a value is no further than the head's largest.
      EXPECT_TRUE(near(got, want, seed, [&, dim = head_dim](int64_t r, int64_t c) {
        double largest = 0;
        for (int64_t d = c / dim * dim; d < (c / dim + 1) * dim; ++d) {
          largest = std::max(largest, std::abs(double{before.at(r, d)}));
        }
        return kRopeTolerance * 2 * largest;
      }));
    }
  }
}

TEST_P(Conformance, SwigluMatchesTheReference) {
  Session candidate = open(), reference = reference_session();
  for (const auto [rows, cols] : kShapes) {
    const uint64_t seed = static_cast<uint64_t>(cols);
    Matrix gate = random_matrix(rows, cols, seed, 3), up = random_matrix(rows, cols, seed + 1);
    gate.at(0, 0) = -1000;  // beyond where a float exponential ends
    gate.at(rows - 1, cols - 1) = 1000;
    const Matrix factor = up;
    Matrix got(rows, cols, 2), want(rows, cols);

    reference.ops().swiglu(reference.stream(), {gate.view(), up.view(), want.view()});
    candidate.ops().swiglu(candidate.stream(), {gate.view(), up.view(), got.view()});
    candidate.ops().swiglu(candidate.stream(), {gate.view(), up.view(), up.view()});  // in place

    EXPECT_TRUE(near(got, want, seed, [&](int64_t r, int64_t c) {
      return kSwigluTolerance * std::abs(want.at(r, c)) +
             kSwigluFloor * std::abs(gate.at(r, c) * factor.at(r, c));
    }));
    EXPECT_TRUE(same_bits(up, got));
  }
}

TEST_P(Conformance, GatherRowsCopies) {
  Session candidate = open();
  Matrix x = random_matrix(5, 33, 1, 1), got(3, 33, 4);
  const std::vector<int32_t> rows = {0, 3, 4};

  candidate.ops().gather_rows(candidate.stream(), {x.view(), rows, got.view()});

  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t c = 0; c < 33; ++c) EXPECT_EQ(got.at(i, c), x.at(rows[static_cast<size_t>(i)], c));
  }
}

TEST_P(Conformance, RowsDoNotFeelTheirBatch) {
  Session candidate = open();
  constexpr int64_t kRows = 64, kCols = 1001;
  Matrix x = random_matrix(kRows, kCols, 1), up = random_matrix(kRows, kCols, 2);
  const Weight& weight = candidate.pack(random_tensor(DType::kF32, 1, kCols, 3));
  Matrix normed(kRows, kCols), gated(kRows, kCols);
  candidate.ops().rms_norm(candidate.stream(), {x.view(), weight, 1e-5f, normed.view()});
  candidate.ops().swiglu(candidate.stream(), {x.view(), up.view(), gated.view()});

  for (int64_t row = 0; row < kRows; row += 7) {
    Matrix alone(1, kCols, 3);
    candidate.ops().rms_norm(candidate.stream(), {x.view(row, 1), weight, 1e-5f, alone.view()});
    EXPECT_TRUE(same_bits(alone, normed, row));
    candidate.ops().swiglu(candidate.stream(), {x.view(row, 1), up.view(row, 1), alone.view()});
    EXPECT_TRUE(same_bits(alone, gated, row));
  }
}

TEST_P(Conformance, NotANumberStaysVisible) {
  Session candidate = open();
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    Matrix x = random_matrix(1, 64, 1), y(1, 3), up = random_matrix(1, 64, 2), gated(1, 64);
    x.at(0, 40) = bad;
    const Weight& weight = candidate.pack(random_tensor(DType::kQ4_1, 3, 64, 3));
    const LinearTarget target = {&weight, y.view()};

    candidate.ops().linear(candidate.stream(), {x.view(), {&target, 1}});
    candidate.ops().swiglu(candidate.stream(), {x.view(), up.view(), gated.view()});

    for (int64_t c = 0; c < 3; ++c) EXPECT_FALSE(std::isfinite(y.at(0, c)));
    EXPECT_EQ(std::isnan(bad), std::isnan(gated.at(0, 40)));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Conformance, ::testing::ValuesIn(candidates()), candidate_name);

}  // namespace
}  // namespace llama_gpu::conformance
