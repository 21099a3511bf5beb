// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker_names.h"

#include <array>
#include <cstddef>

namespace llama_gpu::supervisor {
namespace {

constexpr std::array<std::string_view, 7> kStates = {"starting", "loading", "ready",  "draining",
                                                     "backoff",  "failed",  "stopped"};
constexpr std::array<std::string_view, 6> kExits = {"load_failed", "crashed", "oom",
                                                    "hung",        "stopped", "not_started"};

static_assert(static_cast<size_t>(WorkerState::kStopped) + 1 == kStates.size());
static_assert(static_cast<size_t>(ExitKind::kNotStarted) + 1 == kExits.size());

}  // namespace

std::string_view worker_state_name(WorkerState state) { return kStates[static_cast<size_t>(state)]; }

std::string_view exit_kind_name(ExitKind kind) { return kExits[static_cast<size_t>(kind)]; }

}  // namespace llama_gpu::supervisor
