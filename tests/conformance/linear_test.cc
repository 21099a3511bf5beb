// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numeric>

#include "conformance/harness.h"
#include "conformance/tolerance.h"

namespace llama_gpu::conformance {
namespace {

// Every type of weight on every backend.
class LinearConformance : public ::testing::TestWithParam<std::tuple<Candidate, DType>> {
 protected:
  const Candidate& candidate() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
  bool is_quantised() const { return dtype_info(dtype()).block_values > 1; }
  // A width that the type allows, of about `blocks` blocks.
  int64_t cols(int64_t blocks) const {
    return is_quantised() ? blocks * dtype_info(dtype()).block_values : 37 * blocks;
  }
};

// The largest magnitude of each 32 activations of row r.
std::vector<double> block_magnitudes(const Matrix& x, int64_t r) {
  std::vector<double> largest(static_cast<size_t>((x.cols() + 31) / 32));
  for (int64_t k = 0; k < x.cols(); ++k) {
    double& block = largest[static_cast<size_t>(k / 32)];
    block = std::max(block, std::abs(double{x.at(r, k)}));
  }
  return largest;
}

// Bound of each output: the activations' steps times the weights' magnitudes, and float sums.
Matrix linear_bounds(const Tensor& weight, const Matrix& x, bool is_quantised, bool is_precise = false) {
  Matrix bounds(x.rows(), weight.rows);
  for (int64_t r = 0; r < x.rows(); ++r) {
    const std::vector<double> blocks = block_magnitudes(x, r);
    const double mean = std::reduce(blocks.begin(), blocks.end()) / static_cast<double>(blocks.size());
    for (int64_t out = 0; out < weight.rows; ++out) {
      const std::vector<float> w = weight.row(out);
      double steps = 0, magnitudes = 0;
      for (int64_t k = 0; k < x.cols(); ++k) {
        const double magnitude = std::abs(double{w[static_cast<size_t>(k)]});
        steps += activation_step(blocks[static_cast<size_t>(k / 32)], mean, is_precise) * magnitude;
        magnitudes += magnitude * std::abs(double{x.at(r, k)});
      }
      const double quantisation = is_quantised ? steps : 0;
      bounds.at(r, out) = static_cast<float>(quantisation + sum_tolerance(x.cols()) * magnitudes);
    }
  }
  return bounds;
}

TEST_P(LinearConformance, MatchesTheReference) {
  Session tested(candidate(), {.num_threads = 2}), reference = reference_session();
  constexpr struct {
    int64_t rows, outputs, blocks;
  } kShapes[] = {{1, 1, 1},  {1, 17, 2}, {2, 16, 3},  {3, 5, 1},
                 {5, 33, 5}, {7, 48, 2}, {64, 31, 3}, {33, 100, 4}};
  for (const auto [rows, outputs, blocks] : kShapes) {
    const uint64_t seed = static_cast<uint64_t>(rows * 1000 + outputs);
    const Tensor weight = random_tensor(dtype(), outputs, cols(blocks), seed);
    Matrix x = random_matrix(rows, weight.cols, seed + 1, 3), got(rows, outputs, 5), want(rows, outputs);
    const LinearTarget got_target = {&tested.pack(weight), got.view()};
    const LinearTarget want_target = {&reference.pack(weight), want.view()};

    tested.ops().linear(tested.stream(), {x.view(), {&got_target, 1}});
    reference.ops().linear(reference.stream(), {x.view(), {&want_target, 1}});

    const Matrix bounds = linear_bounds(weight, x, is_quantised());
    EXPECT_TRUE(near(got, want, seed, [&](int64_t r, int64_t c) { return bounds.at(r, c); }))
        << rows << " rows, " << outputs << " outputs, " << weight.cols << " columns";
  }
}

TEST_P(LinearConformance, IsPreciseWhereAsked) {
  Session tested(candidate(), {.num_threads = 2}), reference = reference_session();
  const Tensor weight = random_tensor(dtype(), 40, cols(3), 6);
  for (const int64_t rows : {1, 9}) {
    Matrix x = random_matrix(rows, weight.cols, 7), got(rows, 40), want(rows, 40);
    const LinearTarget got_target = {&tested.pack(weight), got.view()};
    const LinearTarget want_target = {&reference.pack(weight), want.view()};

    tested.ops().linear(tested.stream(), {x.view(), {&got_target, 1}, true});
    reference.ops().linear(reference.stream(), {x.view(), {&want_target, 1}, true});

    const Matrix bounds = linear_bounds(weight, x, is_quantised(), true);
    EXPECT_TRUE(near(got, want, 6, [&](int64_t r, int64_t c) { return bounds.at(r, c); })) << rows << " rows";
  }
}

TEST_P(LinearConformance, ServesSeveralTargetsAndAddsWhereAsked) {
  Session tested(candidate(), {.num_threads = 2}), reference = reference_session();
  const Tensor first = random_tensor(dtype(), 20, cols(2), 1),
               second = random_tensor(DType::kF32, 3, cols(2), 2);
  for (const int64_t rows : {1, 9}) {
    Matrix x = random_matrix(rows, first.cols, 3);
    Matrix got = random_matrix(rows, 20, 4, 1), want = random_matrix(rows, 20, 4), got2(rows, 3),
           want2(rows, 3);
    const LinearTarget got_targets[] = {{&tested.pack(first), got.view(), true},
                                        {&tested.pack(second), got2.view()}};
    const LinearTarget want_targets[] = {{&reference.pack(first), want.view(), true},
                                         {&reference.pack(second), want2.view()}};

    tested.ops().linear(tested.stream(), {x.view(), got_targets});
    reference.ops().linear(reference.stream(), {x.view(), want_targets});

    const Matrix bounds = linear_bounds(first, x, is_quantised()), bounds2 = linear_bounds(second, x, false);
    EXPECT_TRUE(near(got, want, 4, [&](int64_t r, int64_t c) {
      return bounds.at(r, c) + kFloatRounding * std::abs(want.at(r, c)) * 2;
    }));
    EXPECT_TRUE(near(got2, want2, 4, [&](int64_t r, int64_t c) { return bounds2.at(r, c); }));
  }
}

// The product of the first rows of x, however many threads and rows at a time.
Matrix product(const Candidate& candidate, const Tensor& weight, Matrix& x, int64_t rows,
               BackendOptions options) {
  Session session(candidate, options);
  Matrix y(rows, weight.rows);
  const LinearTarget target = {&session.pack(weight), y.view()};
  session.ops().linear(session.stream(), {x.view(0, rows), {&target, 1}});
  return y;
}

TEST_P(LinearConformance, OneRowAloneHasTheBitsItHasInAnyBatch) {
  const Tensor weight = random_tensor(dtype(), 49, cols(3), 1);
  Matrix x = random_matrix(64, weight.cols, 2, 1);
  Session session(candidate(), {.num_threads = 1});
  const Weight& packed = session.pack(weight);
  Matrix alone(64, 49);
  for (int64_t row = 0; row < 64; ++row) {
    const LinearTarget target = {&packed, alone.view(row, 1)};
    session.ops().linear(session.stream(), {x.view(row, 1), {&target, 1}});
  }

  for (int64_t rows = 2; rows <= 64; ++rows) {
    Matrix together(rows, 49);
    const int64_t first = 64 - rows;
    const LinearTarget target = {&packed, together.view()};
    session.ops().linear(session.stream(), {x.view(first, rows), {&target, 1}});
    ASSERT_TRUE(same_bits(together, alone, first)) << "batch of " << rows;
  }
}

TEST_P(LinearConformance, ThreadsAndStepSizesChangeNoBit) {
  const Tensor weight = random_tensor(dtype(), 100, cols(2), 3);
  Matrix x = random_matrix(130, weight.cols, 4);
  for (const int64_t rows : {1, 4, 130}) {
    const Matrix one = product(candidate(), weight, x, rows, {.num_threads = 1});
    for (const int threads : {2, 3}) {
      EXPECT_TRUE(same_bits(product(candidate(), weight, x, rows, {.num_threads = threads}), one));
    }
    EXPECT_TRUE(
        same_bits(product(candidate(), weight, x, rows, {.num_threads = 2, .max_step_rows = 7}), one));
  }
}

TEST_P(LinearConformance, LargestActivationsAndWeightsDoNotOverflow) {
  Session tested(candidate(), {.num_threads = 1}), reference = reference_session();
  Tensor weight = random_tensor(dtype(), 16, cols(2), 5);
  Matrix x(6, weight.cols), got(6, 16), want(6, 16);
  for (int64_t r = 0; r < 6; ++r) {
    for (int64_t c = 0; c < x.cols(); ++c) x.at(r, c) = r % 2 == 0 ? -1.0f : 1.0f;  // every byte is +-127
  }
  const LinearTarget got_target = {&tested.pack(weight), got.view()};
  const LinearTarget want_target = {&reference.pack(weight), want.view()};

  tested.ops().linear(tested.stream(), {x.view(), {&got_target, 1}});
  reference.ops().linear(reference.stream(), {x.view(), {&want_target, 1}});

  const Matrix bounds = linear_bounds(weight, x, is_quantised());
  EXPECT_TRUE(near(got, want, 5, [&](int64_t r, int64_t c) { return bounds.at(r, c); }));
}

std::string linear_name(const ::testing::TestParamInfo<std::tuple<Candidate, DType>>& info) {
  return std::get<0>(info.param).name + "_" + std::string(dtype_info(std::get<1>(info.param)).name);
}

INSTANTIATE_TEST_SUITE_P(Backends, LinearConformance,
                         ::testing::Combine(::testing::ValuesIn(candidates()),
                                            ::testing::Values(DType::kF32, DType::kF16, DType::kBF16,
                                                              DType::kQ4_0, DType::kQ4_1, DType::kQ8_0,
                                                              DType::kQ4_K, DType::kQ6_K)),
                         linear_name);

}  // namespace
}  // namespace llama_gpu::conformance
