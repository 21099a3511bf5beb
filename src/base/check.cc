// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <execinfo.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace llama_gpu {

void check_failed(const char* file, int line, const char* condition, const char* why) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s (%s)\n", file, line, why, condition);
  void* frames[64];
  const int num_frames = backtrace(frames, 64);
  backtrace_symbols_fd(frames, num_frames, STDERR_FILENO);
  std::abort();
}

}  // namespace llama_gpu
