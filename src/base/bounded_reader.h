// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace llama_gpu {

// Reads little-endian values from foreign bytes, front to back, and never past their end.
//
// Each read names what it reads, so that the error of a short input says which field, and holds its offset.
// One thread; the bytes outlive the reader.
class BoundedReader {
 public:
  // `truncated` is the code for an input that ends too early.
  BoundedReader(std::span<const std::byte> bytes, ErrorCode truncated)
      : bytes_(bytes), truncated_(truncated) {}

  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }

  // One number; `field` names it in the error of a short input.
  template <typename T>
    requires std::is_arithmetic_v<T>
  Result<T> read(std::string_view field) {
    static_assert(std::endian::native == std::endian::little, "foreign files are little-endian");
    TRY(std::span<const std::byte> raw, read_bytes(sizeof(T), field));
    T value;
    std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }

  // The next bytes, not copied.
  Result<std::span<const std::byte>> read_bytes(uint64_t size_bytes, std::string_view field) {
    if (size_bytes > remaining()) {
      return Error{truncated_,
                   std::string(field) + " needs " + std::to_string(size_bytes) + " bytes, the input has " +
                       std::to_string(remaining()) + " left",
                   "the input is incomplete: get it again", "", offset_};
    }
    const auto raw = bytes_.subspan(offset_, size_bytes);
    offset_ += size_bytes;
    return raw;
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t offset_ = 0;
  ErrorCode truncated_;
};

}  // namespace llama_gpu
