// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "plugins/sandbox_paths.h"

namespace llama_gpu::plugins {

// From these versions of Landlock on the kernel can hold back TCP, and signals to processes outside.
inline constexpr int kLandlockNetworkAbi = 4;
inline constexpr int kLandlockScopeAbi = 6;

// The version of the kernel's Landlock; kPluginSandboxFailed with the reason where it has none.
Result<int> landlock_abi();

// Holds this thread, and all it starts or becomes, to `paths`; to no TCP without `allows_network`, and to
// no signals and abstract sockets of others, as far as `abi` knows of these. Paths that are not there are
// left out. REQUIRES: no_new_privs is set.
Status restrict_by_landlock(const SandboxPaths& paths, bool allows_network, int abi);

}  // namespace llama_gpu::plugins
