// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "tensor/views.h"

namespace llama_gpu {

class Device;

// Owned device memory, aligned to 64 bytes or more. Move-only; freed with the last owner.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device* device, std::byte* data, size_t size_bytes)
      : device_(device), data_(data), size_bytes_(size_bytes) {}
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  // Device memory: the host may read it only where Device::is_host_memory().
  std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  Device* device_ = nullptr;
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

// An ordered queue of work on a device. One thread at a time.
class Stream {
 public:
  virtual ~Stream() = default;

  // Waits for the work so far. Returns the first error of the stream, which stays.
  virtual Status wait() = 0;

  // Waits, then returns `rows` readable by the host: the same memory where the device shares it, else a copy
  // that stays valid until the next call.
  virtual Result<MatrixView<const float>> host_view(MatrixView<const float> rows) = 0;
};

// One processor with its memory. Thread-safe.
class Device {
 public:
  virtual ~Device() = default;

  virtual std::string name() const = 0;
  virtual bool is_host_memory() const = 0;

  // Bytes that can still be allocated, where the device knows.
  virtual std::optional<uint64_t> free_bytes() const { return std::nullopt; }
  // Zeroed memory; kOutOfMemory with needed and free bytes when there is not enough. The device outlives it.
  virtual Result<Buffer> allocate(size_t size_bytes) = 0;
  virtual std::unique_ptr<Stream> create_stream() = 0;
  virtual Status copy_to_device(std::span<const std::byte> host, std::byte* device) = 0;

 private:
  friend class Buffer;
  virtual void release(std::byte* data, size_t size_bytes) = 0;
};

}  // namespace llama_gpu
