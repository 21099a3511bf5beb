// SPDX-License-Identifier: Apache-2.0
#include "conformance/harness.h"

#include <cmath>
#include <cstring>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/isa_levels.h"
#include "ops/reference/reference_backend.h"
#include "tensor/blocks.h"

namespace llama_gpu::conformance {
namespace {

// Lies between rows; no op produces it by chance.
constexpr float kGap = -12345.678f;

uint16_t half_of(double value) { return float_to_half(static_cast<float>(value)); }

template <class Block, class Fill>
void fill_blocks(std::vector<std::byte>& bytes, Random& random, const Fill& fill) {
  for (size_t offset = 0; offset < bytes.size(); offset += sizeof(Block)) {
    Block block;
    auto* raw = reinterpret_cast<uint8_t*>(&block);
    for (size_t i = 0; i < sizeof(Block); ++i) raw[i] = static_cast<uint8_t>(random.bits());
    fill(block);
    std::memcpy(bytes.data() + offset, &block, sizeof(Block));
  }
}

void fill_tensor(Tensor& tensor, Random& random) {
  const auto scale = [&](double largest) { return half_of(random.uniform(-largest, largest)); };
  switch (tensor.dtype) {
    case DType::kF32:
      return fill_blocks<float>(tensor.bytes, random, [&](float& v) { v = random.activation(); });
    case DType::kF16:
      return fill_blocks<uint16_t>(tensor.bytes, random,
                                   [&](uint16_t& v) { v = half_of(random.activation()); });
    case DType::kBF16:
      return fill_blocks<uint16_t>(tensor.bytes, random,
                                   [&](uint16_t& v) { v = float_to_bfloat16(random.activation()); });
    case DType::kQ4_0:
      return fill_blocks<BlockQ4_0>(tensor.bytes, random, [&](BlockQ4_0& b) { b.d = scale(0.1); });
    case DType::kQ4_1:
      return fill_blocks<BlockQ4_1>(tensor.bytes, random,
                                    [&](BlockQ4_1& b) { b.d = scale(0.1), b.m = scale(1); });
    case DType::kQ8_0:
      return fill_blocks<BlockQ8_0>(tensor.bytes, random, [&](BlockQ8_0& b) { b.d = scale(0.01); });
    case DType::kQ4_K:
      return fill_blocks<BlockQ4_K>(tensor.bytes, random,
                                    [&](BlockQ4_K& b) { b.d = scale(0.002), b.dmin = scale(0.02); });
    case DType::kQ6_K:
      return fill_blocks<BlockQ6_K>(tensor.bytes, random, [&](BlockQ6_K& b) { b.d = scale(0.0005); });
  }
}

}  // namespace

void PrintTo(const Candidate& candidate, std::ostream* out) { *out << candidate.name; }

std::vector<Candidate> candidates() {
  std::vector<Candidate> all;
  for (const std::string_view isa : cpu::supported_isas()) {
    all.push_back({"cpu_" + std::string(isa), std::string(isa), make_cpu_backend});
  }
  return all;
}

std::string candidate_name(const ::testing::TestParamInfo<Candidate>& info) { return info.param.name; }

Matrix::Matrix(int64_t rows, int64_t cols, int64_t spare_cols)
    : rows_(rows),
      cols_(cols),
      stride_(cols + spare_cols),
      values_(static_cast<size_t>(rows * stride_ + 2), kGap) {}

bool Matrix::gaps_are_untouched() const {
  for (int64_t i = 0; i < std::ssize(values_); ++i) {
    const int64_t place = i - 1;
    const bool is_number = place >= 0 && place < rows_ * stride_ && place % stride_ < cols_;
    if (!is_number && values_[static_cast<size_t>(i)] != kGap) return false;
  }
  return true;
}

uint64_t Random::bits() {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  return state_ * 0x2545F4914F6CDD1Du >> 16;
}

double Random::uniform(double low, double high) {
  return low + (high - low) * static_cast<double>(bits() & 0xffffff) / 0x1000000;
}

float Random::activation() {
  const double sum = uniform(-1, 1) + uniform(-1, 1) + uniform(-1, 1);
  return static_cast<float>(bits() % 64 == 0 ? 10 * sum : sum);
}

Matrix random_matrix(int64_t rows, int64_t cols, uint64_t seed, int64_t spare_cols) {
  Matrix matrix(rows, cols, spare_cols);
  Random random(seed);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) matrix.at(r, c) = random.activation();
  }
  return matrix;
}

std::vector<float> Tensor::row(int64_t r) const {
  const auto size = static_cast<size_t>(row_bytes(dtype, cols));
  std::vector<float> values(static_cast<size_t>(cols));
  dequantize(dtype, std::span(bytes).subspan(static_cast<size_t>(r) * size, size), values);
  return values;
}

Tensor random_tensor(DType dtype, int64_t rows, int64_t cols, uint64_t seed) {
  Tensor tensor = {dtype, rows, cols,
                   std::vector<std::byte>(static_cast<size_t>(rows * row_bytes(dtype, cols)))};
  Random random(seed);
  fill_tensor(tensor, random);
  return tensor;
}

Session::Session(Result<std::unique_ptr<Backend>> backend)
    : backend_(std::move(backend).value()), stream_(backend_->device().create_stream()) {}

Session::Session(const Candidate& candidate, BackendOptions options)
    : Session(candidate.open((options.isa = candidate.isa, options))) {}

const Weight& Session::pack(const Tensor& tensor) {
  weights_.push_back(backend_->pack(tensor.host()).value());
  return *weights_.back();
}

Session reference_session() { return Session(make_reference_backend({})); }

::testing::AssertionResult near(const Matrix& got, const Matrix& want, uint64_t seed,
                                const std::function<double(int64_t, int64_t)>& bound) {
  double worst_excess = 0;
  int64_t worst_row = -1, worst_col = -1;
  for (int64_t r = 0; r < want.rows(); ++r) {
    for (int64_t c = 0; c < want.cols(); ++c) {
      const double error = std::abs(double{got.at(r, c)} - double{want.at(r, c)});
      const double excess = error <= bound(r, c) ? 0 : error / bound(r, c);  // also for not-a-number
      if (excess > worst_excess || std::isnan(excess)) {
        worst_excess = std::isnan(excess) ? HUGE_VAL : excess;
        worst_row = r, worst_col = c;
      }
    }
  }
  if (!got.gaps_are_untouched())
    return ::testing::AssertionFailure() << "wrote outside the rows, seed " << seed;
  if (worst_row < 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "worst at row " << worst_row << ", column " << worst_col << ": got "
         << got.at(worst_row, worst_col) << ", want " << want.at(worst_row, worst_col) << ", bound "
         << bound(worst_row, worst_col) << ", seed " << seed;
}

::testing::AssertionResult same_bits(const Matrix& some, const Matrix& all, int64_t first) {
  for (int64_t r = 0; r < some.rows(); ++r) {
    for (int64_t c = 0; c < some.cols(); ++c) {
      const float a = some.at(r, c), b = all.at(first + r, c);
      if (std::memcmp(&a, &b, sizeof(a)) != 0) {
        return ::testing::AssertionFailure() << "row " << first + r << ", column " << c << ": " << a
                                             << " and " << b << " differ by " << a - b;
      }
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace llama_gpu::conformance
