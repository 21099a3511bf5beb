// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "ops/backend.h"

namespace llama_gpu {

// Opens the backend "cpu": kernels for the best instruction set of this processor, or for options.isa, on
// options.num_threads pinned threads. kInvalidValue (param "isa") for a set that the processor lacks.
Result<std::unique_ptr<Backend>> make_cpu_backend(const BackendOptions& options);

}  // namespace llama_gpu
