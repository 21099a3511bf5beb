// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/result.h"

namespace llama_gpu::app {

// Bytes a second that `num_threads` threads read together from `size_bytes` of memory, each its own part
// front to back, as a decode step reads weights: pages of 2 MiB where the system gives them, threads pinned
// as the compute threads are. The median of several passes. 0 threads: one for each core this process may
// use. REQUIRES: size_bytes > 0. kOutOfMemory.
Result<double> probe_read_bandwidth(uint64_t size_bytes, int num_threads);

// Cores that this process may use.
int num_usable_cores();

}  // namespace llama_gpu::app
