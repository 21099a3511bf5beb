// SPDX-License-Identifier: Apache-2.0
// The one place where the supervisor layer meets the real engine, so that a program with a fake one links
// without.
#include "engine/engine.h"
#include "supervisor/engine_worker_process.h"

namespace llama_gpu::supervisor {

int run_engine_worker(int fd, const BackendRegistry& backends, std::string program_version) {
  const EngineLoader load = [&](const engine::EngineOptions& options, engine::GenerationListener& listener) {
    return engine::Engine::load(backends, options, listener);
  };
  return run_engine_worker(fd, load, std::move(program_version));
}

}  // namespace llama_gpu::supervisor
