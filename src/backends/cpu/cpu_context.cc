// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/cpu_context.h"

#include <algorithm>

namespace llama_gpu::cpu {

CpuContext::CpuContext(Device& device, const KernelTable& kernels, int num_threads, int max_step_rows)
    : device_(device), kernels_(kernels), max_rows_(std::max(1, max_step_rows)), pool_(num_threads) {}

Status CpuContext::reserve(int64_t cols) {
  const std::scoped_lock lock(scratch_mutex_);
  if (cols <= widest_cols_) return {};
  const int64_t blocks = (cols + kBlockCols - 1) / kBlockCols;
  TRY(Buffer activations,
      device_.allocate(static_cast<size_t>(max_rows_ * blocks) * sizeof(ActivationBlock)));
  const int64_t tiles_bytes = kScratchTiles * blocks * static_cast<int64_t>(sizeof(UnpackedBlock));
  const int64_t attention_bytes = attention_scratch_floats(kMaxHeadDim) * static_cast<int64_t>(sizeof(float));
  const int64_t thread_bytes = (std::max(tiles_bytes, attention_bytes) + 4095) / 4096 * 4096;
  TRY(Buffer scratch, device_.allocate(static_cast<size_t>(thread_bytes * pool_.num_threads())));
  activations_ = std::move(activations);
  thread_scratch_ = std::move(scratch);
  thread_scratch_bytes_ = thread_bytes;
  widest_cols_ = cols;
  return {};
}

}  // namespace llama_gpu::cpu
