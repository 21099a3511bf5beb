// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string>

#include "app/console.h"
#include "base/result.h"
#include "supervisor/model_host.h"

namespace llama_gpu::app {

// Asks `model` once and streams the answer to the console, as a client of `host` would, so that a person sees
// a new server work. Returns when the answer is complete, or `cancelled` was set. `host` outlives the answer.
Status show_first_answer(supervisor::ModelHost& host, const std::string& model, const std::string& prompt,
                         Console& console, const std::atomic<bool>& cancelled);

}  // namespace llama_gpu::app
