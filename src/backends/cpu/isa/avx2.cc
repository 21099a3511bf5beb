// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/isa/avx2.h"

#include "backends/cpu/kernels/make_kernel_table.h"

namespace llama_gpu::cpu {

const KernelTable& avx2_kernels() {
  static constexpr KernelTable table = make_kernel_table<Avx2>();
  return table;
}

}  // namespace llama_gpu::cpu
