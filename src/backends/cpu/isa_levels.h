// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "backends/cpu/kernels/kernel_table.h"
#include "base/result.h"

namespace llama_gpu::cpu {

// The instruction sets that kernels exist for and this processor has, slowest first. Never empty.
std::vector<std::string_view> supported_isas();

// The kernels of an instruction set by name; "" is the best that the processor has. kInvalidValue (param
// "isa") for a name that is unknown or that the processor lacks.
Result<const KernelTable*> choose_kernels(std::string_view isa);

}  // namespace llama_gpu::cpu
