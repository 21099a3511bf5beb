// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/packed_weight.h"

#include <algorithm>

#include "backends/cpu/tile_layout.h"
#include "base/checked_math.h"
#include "tensor/blocks.h"

namespace llama_gpu::cpu {

Result<WeightMemory::Piece> WeightMemory::allocate(size_t size_bytes) {
  const size_t padded = ceil_div(size_bytes, size_t{64}) * 64;
  if (slab_ == nullptr || padded > slab_->size_bytes() - used_bytes_) {
    // A slab that the machine has no room for must not refuse a weight that fits.
    Result<Buffer> buffer = device_.allocate(std::max(padded, kSlabBytes));
    if (!buffer.ok()) buffer = device_.allocate(padded);
    if (!buffer.ok()) return std::move(buffer).error();
    slab_ = std::make_shared<Buffer>(std::move(buffer).value());
    used_bytes_ = 0;
  }
  Piece piece = {slab_, slab_->data() + used_bytes_};
  used_bytes_ += padded;
  return piece;
}

int64_t PackedWeight::packed_bytes(const HostTensor& tensor) {
  if (tensor.rows == 1) return tensor.cols * static_cast<int64_t>(sizeof(float));
  return ceil_div<int64_t>(tensor.rows, kTileRows) * tile_bytes(tensor.dtype, tensor.cols);
}

size_t PackedWeight::size_bytes() const {
  return static_cast<size_t>(is_vector() ? cols_ * static_cast<int64_t>(sizeof(float))
                                         : num_tiles() * bytes_per_tile());
}

int64_t PackedWeight::num_tiles() const { return ceil_div<int64_t>(rows_, kTileRows); }

void PackedWeight::copy_row(int64_t row, std::span<float> values) const {
  if (is_vector()) {
    std::copy_n(vector(), cols_, values.begin());
  } else {
    unpack_tile_row(dtype_, tiles() + row / kTileRows * bytes_per_tile(), row % kTileRows, values);
  }
}

void PackedWeight::pack_part(const HostTensor& tensor, int64_t part) {
  if (is_vector()) {
    dequantize(dtype_, tensor.bytes, {reinterpret_cast<float*>(memory_.data), static_cast<size_t>(cols_)});
  } else {
    pack_tile(tensor, part, memory_.data + part * bytes_per_tile());
  }
}

}  // namespace llama_gpu::cpu
