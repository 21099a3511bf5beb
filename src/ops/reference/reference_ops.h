// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "ops/op_table.h"

namespace llama_gpu::reference {

// The bytes of the file, dequantised a row at a time where they are used.
class ReferenceWeight : public Weight {
 public:
  // A copy of the tensor.
  explicit ReferenceWeight(const HostTensor& tensor)
      : dtype_(tensor.dtype),
        rows_(tensor.rows),
        cols_(tensor.cols),
        bytes_(tensor.bytes.begin(), tensor.bytes.end()) {}

  int64_t rows() const override { return rows_; }
  int64_t cols() const override { return cols_; }
  DType dtype() const override { return dtype_; }
  size_t size_bytes() const override { return bytes_.size(); }

  // The values of row `row`: [cols].
  std::vector<float> values(int64_t row) const;

 private:
  DType dtype_;
  int64_t rows_;
  int64_t cols_;
  std::vector<std::byte> bytes_;
};

// The functions of the reference, each as op_table.h says.
const OpTable& op_table();

// Bytes of one block: float keys [block_tokens, kv_heads, head_dim], then values of the same shape.
int64_t kv_block_bytes(const KvGeometry& geometry);

}  // namespace llama_gpu::reference
