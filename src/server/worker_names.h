// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "supervisor/model_host.h"

namespace llama_gpu::server {

// Names of states and exits as clients and metrics see them (api/openapi.yaml: Worker).
std::string_view worker_state_name(supervisor::WorkerState state);
std::string_view exit_kind_name(supervisor::ExitKind kind);

}  // namespace llama_gpu::server
