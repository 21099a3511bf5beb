// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "ops/backend.h"

namespace llama_gpu {

// Opens the specification of all ops: double inside, float between ops, one thread, no tricks. `isa` and
// `num_threads` mean nothing to it.
Result<std::unique_ptr<Backend>> make_reference_backend(const BackendOptions& options);

}  // namespace llama_gpu
