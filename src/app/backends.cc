// SPDX-License-Identifier: Apache-2.0
#include "app/backends.h"

#include "backends/cpu/cpu_backend.h"
#include "ops/reference/reference_backend.h"

namespace llama_gpu::app {

BackendRegistry make_backends() {
  BackendRegistry backends;
  backends.add("cpu", make_cpu_backend);
  backends.add("reference", make_reference_backend);
  return backends;
}

engine::EngineOptions engine_options(const Settings& settings, std::string model_path) {
  engine::EngineOptions options;
  options.model_path = std::move(model_path);
  options.backend = settings.engine.backend;
  options.isa = settings.engine.isa;
  // The table of settings bounds each far below 2^31.
  options.num_threads = int32_t(settings.engine.threads);
  options.context_tokens = int32_t(settings.engine.ctx_size);
  options.max_sequences = int32_t(settings.engine.parallel);
  options.kv_tokens = settings.engine.kv_tokens;
  options.step_tokens = int32_t(settings.engine.step_tokens);
  options.max_requests = int32_t(settings.engine.max_requests);
  options.step_milliseconds = int32_t(settings.engine.step_milliseconds);
  return options;
}

}  // namespace llama_gpu::app
