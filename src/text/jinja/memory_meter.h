// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>

namespace llama_gpu::text::jinja {

// Counts the bytes that the values of one rendering hold. One thread; outlives its charges.
class MemoryMeter {
 public:
  explicit MemoryMeter(size_t limit_bytes) : limit_bytes_(limit_bytes) {}
  size_t limit_bytes() const { return limit_bytes_; }
  size_t held_bytes() const { return held_bytes_; }
  bool has_room_for(size_t size_bytes) const { return size_bytes <= limit_bytes_ - held_bytes_; }

 private:
  friend class MemoryCharge;
  size_t limit_bytes_;
  size_t held_bytes_ = 0;
};

// Bytes counted by a meter until the charge ends. Move-only.
class MemoryCharge {
 public:
  MemoryCharge() = default;
  // REQUIRES: meter.has_room_for(size_bytes).
  MemoryCharge(MemoryMeter& meter, size_t size_bytes) : meter_(&meter), size_bytes_(size_bytes) {
    meter_->held_bytes_ += size_bytes;
  }
  MemoryCharge(MemoryCharge&& other) noexcept
      : meter_(std::exchange(other.meter_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&& other) noexcept {
    std::swap(meter_, other.meter_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
  }
  // Counts more bytes with this charge. REQUIRES: meter.has_room_for(size_bytes); no other meter before.
  void grow(MemoryMeter& meter, size_t size_bytes) {
    meter_ = &meter;
    meter_->held_bytes_ += size_bytes;
    size_bytes_ += size_bytes;
  }
  size_t size_bytes() const { return size_bytes_; }
  ~MemoryCharge() {
    if (meter_ != nullptr) meter_->held_bytes_ -= size_bytes_;
  }

 private:
  MemoryMeter* meter_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace llama_gpu::text::jinja
