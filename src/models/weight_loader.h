// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "models/model.h"
#include "ops/backend.h"

namespace llama_gpu::models {

// A tensor that a family needs, or can use.
struct TensorSpec {
  std::string name;
  int64_t rows = 0;
  int64_t cols = 0;
};

// Takes a family's weights out of a checkpoint: first every tensor is found and its shape checked, then each
// is packed and its file pages are given back, so that memory never holds the model twice.
//
// One thread; checkpoint and backend outlive it.
class WeightLoader {
 public:
  // Errors: kModelInvalid naming a tensor that is missing, has another shape, or is none of `specs`;
  // kUnsupportedModel for a bias, which would change every answer if it were left out.
  static Result<WeightLoader> create(const formats::Checkpoint& checkpoint, Backend& backend,
                                     const std::vector<TensorSpec>& specs);

  // The packed weight. kModelInvalid where it holds a value that is not finite, kModelChanged where the file
  // did since it was opened.
  // REQUIRES: `name` was among the specs.
  Result<std::unique_ptr<const Weight>> pack(const std::string& name);

  // The values of a small float tensor, for the host. Errors as those of pack. REQUIRES: `name` was among the
  // specs.
  Result<std::vector<float>> floats(const std::string& name) const;

  // Bytes and values of what was packed so far; `matmul_bytes_per_token` is the family's to fill.
  const WeightTotals& totals() const { return totals_; }

 private:
  WeightLoader(const formats::Checkpoint& checkpoint, Backend& backend)
      : checkpoint_(checkpoint), backend_(backend) {}

  // The tensor, whose bytes may be read now: they are still those that were checked.
  Result<HostTensor> readable(const std::string& name) const;

  const formats::Checkpoint& checkpoint_;
  Backend& backend_;
  std::map<std::string, HostTensor> tensors_;
  WeightTotals totals_;
};

// The first row that holds a value (or a block scale) that is not finite.
std::optional<int64_t> find_nonfinite_row(const HostTensor& tensor);

// The ops that a family calls, by name: kUnsupportedModel naming the first that the backend lacks.
Status require_ops(const Backend& backend);
// kUnsupportedModel where the backend's ops have no room for attention heads of so many values.
Status require_head_dim(const Backend& backend, int64_t head_dim);

}  // namespace llama_gpu::models
