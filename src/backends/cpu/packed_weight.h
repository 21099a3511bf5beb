// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

#include "backends/cpu/tile_packing.h"
#include "device/device.h"
#include "ops/op_table.h"

namespace llama_gpu::cpu {

// Memory of packed weights, cut from large buffers so that small weights too lie in huge pages. One thread.
class WeightMemory {
 public:
  static constexpr size_t kSlabBytes = size_t{32} << 20;

  // Part of a buffer that lives as long as one of its owners.
  struct Piece {
    std::shared_ptr<Buffer> owner;
    std::byte* data = nullptr;
  };

  // `device` outlives this and the pieces.
  explicit WeightMemory(Device& device) : device_(device) {}

  // Zeroed bytes, aligned to 64.
  Result<Piece> allocate(size_t size_bytes);

 private:
  Device& device_;
  std::shared_ptr<Buffer> slab_;
  size_t used_bytes_ = 0;
};

// Any weight of this backend: tiles of sixteen rows (tile_layout.h), or the plain floats of a single row,
// which norms read as a vector.
class PackedWeight : public Weight {
 public:
  // A weight of that shape; pack_part() fills it. `memory` has packed_bytes().
  PackedWeight(const HostTensor& tensor, WeightMemory::Piece memory)
      : dtype_(tensor.dtype), rows_(tensor.rows), cols_(tensor.cols), memory_(std::move(memory)) {}

  // Bytes of the packed form.
  static int64_t packed_bytes(const HostTensor& tensor);

  int64_t rows() const override { return rows_; }
  int64_t cols() const override { return cols_; }
  DType dtype() const override { return dtype_; }
  size_t size_bytes() const override;

  bool is_vector() const { return rows_ == 1; }
  // REQUIRES: is_vector().
  const float* vector() const { return reinterpret_cast<const float*>(memory_.data); }

  int64_t num_tiles() const;
  int64_t bytes_per_tile() const { return tile_bytes(dtype_, cols_); }
  const std::byte* tiles() const { return memory_.data; }

  // Writes the values of a row, bit for bit those of the file: [cols].
  void copy_row(int64_t row, std::span<float> values) const;

  // Fills part `part` of num_parts(): any thread, each part once, before the weight is used.
  void pack_part(const HostTensor& tensor, int64_t part);
  int64_t num_parts() const { return is_vector() ? 1 : num_tiles(); }

 private:
  DType dtype_;
  int64_t rows_;
  int64_t cols_;
  WeightMemory::Piece memory_;
};

}  // namespace llama_gpu::cpu
