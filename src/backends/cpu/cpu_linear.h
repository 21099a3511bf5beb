// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/cpu_context.h"
#include "ops/op_table.h"

namespace llama_gpu::cpu {

// OpTable::linear: quantises the rows once, then cuts the outputs of all targets into pieces for the threads.
void run_linear(CpuContext& context, const LinearArgs& args);

}  // namespace llama_gpu::cpu
