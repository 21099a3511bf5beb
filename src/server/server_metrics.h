// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "supervisor/model_host.h"
#include "telemetry/registry.h"

namespace llama_gpu::server {

// Sets the metrics that are read rather than counted: workers, their queues, KV pools and memory, and this
// process.
void collect_metrics(const supervisor::ModelHost& host, telemetry::Registry& metrics);

}  // namespace llama_gpu::server
