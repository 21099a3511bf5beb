// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace llama_gpu::app {

// Raises this process's limit on open files as far as it may go, for workers as well, which inherit it.
// Returns what it is then.
uint64_t raise_open_file_limit();

// The connections that may be open at once, at least one: `asked`, or as many as the limit on open files
// leaves beside the workers, so that a crowd of clients never keeps a worker from being started again.
size_t fit_connections(size_t asked, uint64_t max_open_files, size_t num_workers);

}  // namespace llama_gpu::app
