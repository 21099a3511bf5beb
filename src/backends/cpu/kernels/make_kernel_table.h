// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/kernels/attention.h"
#include "backends/cpu/kernels/elementwise.h"
#include "backends/cpu/kernels/kernel_table.h"
#include "backends/cpu/kernels/linear.h"

namespace llama_gpu::cpu {

// All kernels on the vector layer `Isa`. Every function in it is a template of `Isa`, so that what is
// compiled for one instruction set is never taken for another's.
template <class Isa>
constexpr KernelTable make_kernel_table() {
  KernelTable table = {
      .isa = Isa::kName,
      .linear = {},
      .quantize_row = quantize_row<Isa>,
      .dot = dot<Isa>,
      .rms_norm_row = rms_norm_row<Isa>,
      .rope_row_adjacent = rope_row_adjacent<Isa>,
      .rope_row_halves = rope_row_halves<Isa>,
      .swiglu_row = swiglu_row<Isa>,
      .kv_write = kv_write<Isa>,
      .attention = attention<Isa>,
  };
  table.linear[static_cast<int>(DType::kF32)] = float_linear<Isa, LoadF32<Isa>>;
  table.linear[static_cast<int>(DType::kF16)] = float_linear<Isa, LoadF16<Isa>>;
  table.linear[static_cast<int>(DType::kBF16)] = float_linear<Isa, LoadBF16<Isa>>;
  table.linear[static_cast<int>(DType::kQ4_0)] = quant_linear<Isa, FormatQ4_0<Isa>>;
  table.linear[static_cast<int>(DType::kQ4_1)] = quant_linear<Isa, FormatQ4_1<Isa>>;
  table.linear[static_cast<int>(DType::kQ8_0)] = quant_linear<Isa, FormatQ8_0<Isa>>;
  table.linear[static_cast<int>(DType::kQ4_K)] = quant_linear<Isa, FormatQ4_K<Isa>>;
  table.linear[static_cast<int>(DType::kQ6_K)] = quant_linear<Isa, FormatQ6_K<Isa>>;
  return table;
}

}  // namespace llama_gpu::cpu
