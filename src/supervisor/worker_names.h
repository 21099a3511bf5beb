// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "supervisor/model_host.h"

namespace llama_gpu::supervisor {

// Names of states and exits as clients, metrics and the log show them (api/openapi.yaml: Worker).
std::string_view worker_state_name(WorkerState state);
std::string_view exit_kind_name(ExitKind kind);

}  // namespace llama_gpu::supervisor
