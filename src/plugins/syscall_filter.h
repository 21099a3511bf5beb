// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace llama_gpu::plugins {

// What a filter leaves open.
struct SyscallPolicy {
  bool allows_network = false;
  // Signals to others are held back elsewhere (Landlock); without, only those to the process's own group
  // pass.
  bool are_signals_scoped = false;
};

// kPluginSandboxFailed with the reason where the kernel cannot filter system calls.
Status check_syscall_filter();

// From now on system calls that a plugin has no business with fail with EPERM, for this thread and all it
// starts or becomes. REQUIRES: no_new_privs is set.
Status filter_syscalls(const SyscallPolicy& policy);

}  // namespace llama_gpu::plugins
