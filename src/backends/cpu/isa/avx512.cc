// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/isa/avx512.h"

#include "backends/cpu/kernels/make_kernel_table.h"

namespace llama_gpu::cpu {

const KernelTable& avx512_kernels() {
  static constexpr KernelTable table = make_kernel_table<Avx512>();
  return table;
}

}  // namespace llama_gpu::cpu
