// SPDX-License-Identifier: Apache-2.0
#include "ops/reference/reference_backend.h"

#include <cstdint>
#include <limits>

#include "base/check.h"
#include "device/host_device.h"
#include "ops/reference/reference_ops.h"

namespace llama_gpu {
namespace {

class ReferenceBackend : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  std::string description() const override { return "reference, double precision, 1 thread"; }
  Device& device() override { return device_; }
  const OpTable& ops() const override { return reference::op_table(); }

  Result<std::unique_ptr<const Weight>> pack(const HostTensor& tensor) override {
    const int64_t expected = tensor.rows * row_bytes(tensor.dtype, tensor.cols);
    CHECK(std::ssize(tensor.bytes) == expected, "a tensor's bytes are not what its shape says");
    return std::unique_ptr<const Weight>(std::make_unique<reference::ReferenceWeight>(tensor));
  }

  int64_t max_head_dim() const override { return std::numeric_limits<int32_t>::max(); }
  int64_t kv_block_bytes(const KvGeometry& geometry) const override {
    return reference::kv_block_bytes(geometry);
  }

 private:
  HostDevice device_;
};

}  // namespace

Result<std::unique_ptr<Backend>> make_reference_backend(const BackendOptions&) {
  return std::unique_ptr<Backend>(std::make_unique<ReferenceBackend>());
}

}  // namespace llama_gpu
