// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ops/op_table.h"

namespace llama_gpu::cpu {

// The ops of this backend, for streams of its device. They choose how work is cut into pieces; what a piece
// computes is in kernels/.
const OpTable& cpu_op_table();

}  // namespace llama_gpu::cpu
