// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/cpu_backend.h"

#include <mutex>

#include "backends/cpu/cpu_context.h"
#include "backends/cpu/cpu_ops.h"
#include "backends/cpu/isa_levels.h"
#include "backends/cpu/packed_weight.h"
#include "base/check.h"

namespace llama_gpu {
namespace {

// Host memory whose streams know the backend they work for.
class CpuDevice : public HostDevice {
 public:
  CpuDevice(const cpu::KernelTable& kernels, const BackendOptions& options)
      : context_(*this, kernels, options.num_threads, options.max_step_rows) {}

  std::unique_ptr<Stream> create_stream() override { return std::make_unique<cpu::CpuStream>(context_); }
  cpu::CpuContext& context() { return context_; }

 private:
  cpu::CpuContext context_;
};

class CpuBackend : public Backend {
 public:
  CpuBackend(const cpu::KernelTable& kernels, const BackendOptions& options)
      : device_(kernels, options), weight_memory_(device_) {}

  // Memory for attention, which needs no weight.
  Status reserve() { return device_.context().reserve(1); }

  std::string_view name() const override { return "cpu"; }
  std::string description() const override {
    const int threads = device_.context().pool().num_threads();
    return "cpu " + std::string(device_.context().kernels().isa) + ", " + std::to_string(threads) +
           (threads == 1 ? " thread" : " threads");
  }
  Device& device() override { return device_; }
  const OpTable& ops() const override { return cpu::cpu_op_table(); }

  Result<std::unique_ptr<const Weight>> pack(const HostTensor& tensor) override {
    const int64_t expected = tensor.rows * row_bytes(tensor.dtype, tensor.cols);
    CHECK(std::ssize(tensor.bytes) == expected, "a tensor's bytes are not what its shape says");
    TRY_STATUS(device_.context().reserve(tensor.cols));
    TRY(cpu::WeightMemory::Piece memory,
        allocate(static_cast<size_t>(cpu::PackedWeight::packed_bytes(tensor))));
    auto weight = std::make_unique<cpu::PackedWeight>(tensor, std::move(memory));
    device_.context().pool().run(weight->num_parts(),
                                 [&](int64_t part, int) { weight->pack_part(tensor, part); });
    return std::unique_ptr<const Weight>(std::move(weight));
  }

  int64_t max_head_dim() const override { return cpu::CpuContext::kMaxHeadDim; }

  int64_t kv_block_bytes(const KvGeometry& geometry) const override {
    CHECK(geometry.block_tokens % cpu::kKvTokens == 0, "KV blocks hold a multiple of 16 tokens");
    return cpu::KvLayout::of(geometry).block_bytes();
  }

 private:
  Result<cpu::WeightMemory::Piece> allocate(size_t size_bytes) {
    const std::scoped_lock lock(weight_memory_mutex_);
    return weight_memory_.allocate(size_bytes);
  }

  mutable CpuDevice device_;
  std::mutex weight_memory_mutex_;
  cpu::WeightMemory weight_memory_;
};

}  // namespace

Result<std::unique_ptr<Backend>> make_cpu_backend(const BackendOptions& options) {
  TRY(const cpu::KernelTable* kernels, cpu::choose_kernels(options.isa));
  auto backend = std::make_unique<CpuBackend>(*kernels, options);
  TRY_STATUS(backend->reserve());
  return std::unique_ptr<Backend>(std::move(backend));
}

}  // namespace llama_gpu
