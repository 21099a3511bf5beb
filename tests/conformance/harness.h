// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "ops/backend.h"

namespace llama_gpu::conformance {

// A backend and instruction set that is compared with the reference.
struct Candidate {
  std::string name;  // "cpu_avx512"
  std::string isa;
  BackendRegistry::Factory open;
};
void PrintTo(const Candidate& candidate, std::ostream* out);

// All that this machine can run.
std::vector<Candidate> candidates();
std::string candidate_name(const ::testing::TestParamInfo<Candidate>& info);

// Rows of numbers in host memory. Rows may be wider than their numbers and start at odd addresses, because
// views into other buffers do.
class Matrix {
 public:
  Matrix(int64_t rows, int64_t cols, int64_t spare_cols = 0);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  float& at(int64_t r, int64_t c) { return values_[static_cast<size_t>(1 + r * stride_ + c)]; }
  float at(int64_t r, int64_t c) const { return values_[static_cast<size_t>(1 + r * stride_ + c)]; }
  // View of rows first .. first + count - 1, or of all.
  MatrixView<float> view() { return {values_.data() + 1, rows_, cols_, stride_}; }
  MatrixView<float> view(int64_t first, int64_t count) {
    return {values_.data() + 1 + first * stride_, count, cols_, stride_};
  }
  // What lies between the rows must stay as it was: the value put there at the start.
  bool gaps_are_untouched() const;

 private:
  int64_t rows_, cols_, stride_;
  std::vector<float> values_;
};

// Repeatable numbers: the same seed gives the same on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  uint64_t bits();
  double uniform(double low, double high);
  // About normal, with a rare value ten times as large, as activations have.
  float activation();

 private:
  uint64_t state_;
};

Matrix random_matrix(int64_t rows, int64_t cols, uint64_t seed, int64_t spare_cols = 0);

// A weight of any type with random values of magnitude 1 or so.
struct Tensor {
  DType dtype;
  int64_t rows;
  int64_t cols;
  std::vector<std::byte> bytes;

  HostTensor host() const { return {dtype, rows, cols, bytes}; }
  std::vector<float> row(int64_t r) const;  // dequantised
};
Tensor random_tensor(DType dtype, int64_t rows, int64_t cols, uint64_t seed);

// An opened backend with a stream and the weights it packed. Results are brought to the host memory of the
// matrices that are passed in.
class Session {
 public:
  explicit Session(Result<std::unique_ptr<Backend>> backend);
  Session(const Candidate& candidate, BackendOptions options);

  Backend& backend() { return *backend_; }
  const OpTable& ops() { return backend_->ops(); }
  Stream& stream() { return *stream_; }
  const Weight& pack(const Tensor& tensor);

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Stream> stream_;
  std::vector<std::unique_ptr<const Weight>> weights_;
};
Session reference_session();

// Success where |got - want| <= bound(r, c) everywhere; else the worst element with got, want, bound and
// seed.
::testing::AssertionResult near(const Matrix& got, const Matrix& want, uint64_t seed,
                                const std::function<double(int64_t, int64_t)>& bound);

// Success where rows `first` .. of `all` have the bits of `some`.
::testing::AssertionResult same_bits(const Matrix& some, const Matrix& all, int64_t first = 0);

// One test case for each Candidate.
class Conformance : public ::testing::TestWithParam<Candidate> {
 protected:
  Session open(BackendOptions options = {.num_threads = 2}) { return Session(GetParam(), options); }
};

}  // namespace llama_gpu::conformance
