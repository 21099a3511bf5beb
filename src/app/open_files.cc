// SPDX-License-Identifier: Apache-2.0
#include "app/open_files.h"

#include <sys/resource.h>

#include <algorithm>

namespace llama_gpu::app {
namespace {

// What the server itself and each worker may need, and some more.
constexpr uint64_t kOwnFiles = 64;
constexpr uint64_t kFilesOfWorker = 16;

}  // namespace

uint64_t raise_open_file_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit highest{limit.rlim_max, limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &highest) == 0 ? highest.rlim_cur : limit.rlim_cur;
}

size_t fit_connections(size_t asked, uint64_t max_open_files, size_t num_workers) {
  const uint64_t others = kOwnFiles + kFilesOfWorker * num_workers;
  if (max_open_files <= others) return 1;
  return std::min<uint64_t>(asked, max_open_files - others);
}

}  // namespace llama_gpu::app
