// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/gguf_format.h"
#include "tensor/dtype.h"

namespace llama_gpu::formats {

// Builds a GGUF file in memory, entries and tensors in the order they were added. One thread.
class GgufWriter {
 public:
  // `alignment` is written as an entry where it is not the default. REQUIRES: a power of two in the bounds.
  explicit GgufWriter(uint32_t version = kNewestGgufVersion, uint64_t alignment = kDefaultGgufAlignment);

  // Metadata entries. REQUIRES: `key` was not added yet.
  void add_u32(std::string_view key, uint32_t value);
  void add_u64(std::string_view key, uint64_t value);
  void add_i32(std::string_view key, int32_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, std::span<const std::string> values);
  void add_f32s(std::string_view key, std::span<const float> values);
  void add_i32s(std::string_view key, std::span<const int32_t> values);
  // A value of any type, as its bytes stand in the file.
  void add_raw(std::string_view key, GgufType type, std::string_view bytes);

  // A tensor; `shape` has its outermost axis first, `bytes` its rows in the layout of `dtype`.
  // REQUIRES: `bytes` has the size that dtype and shape mean.
  void add_tensor(std::string_view name, DType dtype, std::span<const int64_t> shape, std::string_view bytes);

  // The whole file.
  std::string to_bytes() const;
  // The same, written to `path`, which is replaced. kIoFailed.
  Status write(const std::string& path) const;

 private:
  void begin_entry(std::string_view key, GgufType type);

  uint32_t version_;
  uint64_t alignment_;
  uint64_t num_entries_ = 0;
  uint64_t num_tensors_ = 0;
  std::string entries_;
  std::string declarations_;
  std::string data_;
};

}  // namespace llama_gpu::formats
