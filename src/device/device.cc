// SPDX-License-Identifier: Apache-2.0
#include "device/device.h"

#include <utility>

#include "device/arena.h"

namespace llama_gpu {

Buffer::Buffer(Buffer&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    if (device_ != nullptr) device_->release(data_, size_bytes_);
    device_ = std::exchange(other.device_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    size_bytes_ = std::exchange(other.size_bytes_, 0);
  }
  return *this;
}

Buffer::~Buffer() {
  if (device_ != nullptr) device_->release(data_, size_bytes_);
}

std::byte* Arena::take(size_t size_bytes) {
  const size_t padded = (size_bytes + kAlignment - 1) / kAlignment * kAlignment;
  CHECK(padded <= buffer_.size_bytes() - used_bytes_, "a step asked for more than its arena holds");
  std::byte* data = buffer_.data() + used_bytes_;
  used_bytes_ += padded;
  return data;
}

}  // namespace llama_gpu
