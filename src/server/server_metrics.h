// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "supervisor/model_host.h"
#include "telemetry/registry.h"

namespace llama_gpu::server {

// Shows the metrics whose labels are known beforehand (models, routes), all at zero, so that nobody takes
// "never" for "unknown".
void expose_known_series(const supervisor::ModelHost& host, telemetry::Registry& metrics);

// Sets the metrics that are read rather than counted: workers, their queues, KV pools and memory, and this
// process.
void collect_metrics(const supervisor::ModelHost& host, telemetry::Registry& metrics);

}  // namespace llama_gpu::server
