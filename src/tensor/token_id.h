// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace llama_gpu {

// Index of a token in its model's vocabulary.
using TokenId = int32_t;

}  // namespace llama_gpu
