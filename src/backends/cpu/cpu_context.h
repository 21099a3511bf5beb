// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <vector>

#include "backends/cpu/kernels/kernel_table.h"
#include "backends/cpu/thread_pool.h"
#include "device/host_device.h"

namespace llama_gpu::cpu {

// What the ops of one backend share: threads, kernels, and scratch memory that pack() reserves, so that a
// step allocates nothing.
class CpuContext {
 public:
  // `device` outlives the context.
  CpuContext(Device& device, const KernelTable& kernels, int num_threads, int max_step_rows);

  // What the ops compute with.
  ThreadPool& pool() { return pool_; }
  const KernelTable& kernels() const { return kernels_; }
  // Rows that the quantised activations have room for; larger steps are computed in parts.
  int64_t max_rows() const { return max_rows_; }

  // Makes room for weights of `cols` columns. kOutOfMemory where there is none.
  Status reserve(int64_t cols);

  // Scratch memory is in use by one op at a time: hold this while using the functions below.
  std::mutex& scratch_mutex() { return scratch_mutex_; }
  // [max_rows, cols / 32], cols being the widest weight's.
  ActivationBlock* activations() { return reinterpret_cast<ActivationBlock*>(activations_.data()); }
  // Of one thread of the pool: kScratchTiles unpacked tiles, and attention_scratch_bytes() at least.
  std::byte* thread_scratch(int thread) { return thread_scratch_.data() + thread * thread_scratch_bytes_; }
  // A head of 2048 values, far more than any model has.
  static constexpr int64_t kMaxHeadDim = 2048;

 private:
  Device& device_;
  const KernelTable& kernels_;
  int64_t max_rows_;
  std::mutex scratch_mutex_;
  int64_t widest_cols_ = 0;
  int64_t thread_scratch_bytes_ = 0;
  Buffer activations_;
  Buffer thread_scratch_;
  ThreadPool pool_;  // last: its threads end before what they use
};

// Work is done when an op returns; the stream only carries the context to the ops.
class CpuStream : public HostStream {
 public:
  explicit CpuStream(CpuContext& context) : context_(context) {}
  // Of the backend that made the stream.
  CpuContext& context() { return context_; }

 private:
  CpuContext& context_;
};

}  // namespace llama_gpu::cpu
