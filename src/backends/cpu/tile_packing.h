// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/views.h"

namespace llama_gpu::cpu {

// Bytes of one tile: sixteen rows of `cols` values, as many as in the file.
int64_t tile_bytes(DType dtype, int64_t cols);

// Writes tile `tile` of the tensor to `out`, tile_bytes() zeroed bytes: rows that the tensor lacks stay zero.
void pack_tile(const HostTensor& tensor, int64_t tile, std::byte* out);

// The values of row `row` (0..15) of a tile, bit for bit what tensor/blocks.h makes of the file's row.
void unpack_tile_row(DType dtype, const std::byte* tile, int64_t row, std::span<float> values);

}  // namespace llama_gpu::cpu
