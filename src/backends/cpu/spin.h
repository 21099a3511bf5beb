// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace llama_gpu::cpu {

// Tells the processor that this thread waits in a loop: it saves power and leaves the other thread of the
// core alone.
inline void spin_pause() { __builtin_ia32_pause(); }

}  // namespace llama_gpu::cpu
