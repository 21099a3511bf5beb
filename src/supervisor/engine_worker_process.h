// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "supervisor/engine_worker.h"

namespace llama_gpu {
class BackendRegistry;
}

namespace llama_gpu::supervisor {

// The whole life of an engine worker's process, behind the socket `fd` that it inherited: the hidden verb
// `engine-worker`. Returns the exit code. `program_version` must be that of the control plane.
int run_engine_worker(int fd, const BackendRegistry& backends, std::string program_version);

// The same with any engine.
int run_engine_worker(int fd, EngineLoader loader, std::string program_version);

// Makes this process a good child: it dies with the thread that started it, ignores the terminal's Ctrl-C
// (the control plane drains then), leaves no core dump, which would hold prompts, exits with the code of
// out_of_memory where memory ends (once a model is loaded: where nobody catches that), and is taken before
// the control plane when the system kills for memory.
// Called before threads start.
void become_worker_process();

}  // namespace llama_gpu::supervisor
