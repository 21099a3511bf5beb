// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "plugins/sandbox_paths.h"

namespace llama_gpu::plugins {

// Whom plugins run as where root starts them.
inline constexpr uid_t kNobody = 65534;

// The user that enter_namespaces() makes of this one.
uid_t user_in_namespaces();

// Gives this process namespaces of its own: users, mounts, IPC, host name, and the network unless
// `allows_network`. Its root holds nothing but `paths`, at the places where they are now; where it was root
// it is kNobody. It keeps the rights that it has over its own namespaces, see drop_capabilities().
//
// kPluginSandboxFailed where the system does not allow it; the process is then between two worlds, and good
// for nothing but ending. REQUIRES: one thread.
Status enter_namespaces(const SandboxPaths& paths, bool allows_network);

// Gives up every capability, now and for programs to come.
Status drop_capabilities();

}  // namespace llama_gpu::plugins
