// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/isa/scalar.h"

#include "backends/cpu/kernels/make_kernel_table.h"

namespace llama_gpu::cpu {

const KernelTable& scalar_kernels() {
  static constexpr KernelTable table = make_kernel_table<Scalar>();
  return table;
}

}  // namespace llama_gpu::cpu
