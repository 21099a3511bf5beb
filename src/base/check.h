// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace llama_gpu {

// Prints the broken invariant with a backtrace and ends the process.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* why);

}  // namespace llama_gpu

// A broken invariant of our own code. Always on, also in release builds: never for input, which gets an
// Error.
#define CHECK(condition, why)                                         \
  do {                                                                \
    if (!(condition)) [[unlikely]]                                    \
      ::llama_gpu::check_failed(__FILE__, __LINE__, #condition, why); \
  } while (false)
