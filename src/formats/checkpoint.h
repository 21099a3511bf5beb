// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/metadata.h"
#include "tensor/views.h"

namespace llama_gpu::formats {

// A tensor as its file declares it, already checked against the file's size.
struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // outermost first: {rows, cols}
  uint64_t file_offset = 0;    // of its first byte
  uint64_t size_bytes = 0;
};

// A model's files, opened and checked: metadata and tensors. Immutable after open; readers on any thread.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;

  virtual const std::string& path() const = 0;
  virtual uint64_t size_bytes() const = 0;
  virtual const Metadata& metadata() const = 0;
  virtual const std::vector<TensorInfo>& tensors() const = 0;

  // The tensor's bytes, valid as long as the checkpoint; a tensor of more than two axes is flattened to rows
  // of its innermost axis. kModelInvalid naming the tensor where there is none of that name or its shape is
  // not {rows, cols} ({cols} counts as one row).
  Result<HostTensor> tensor(std::string_view name, int64_t rows, int64_t cols) const;
  const TensorInfo* find(std::string_view name) const;

  // Tells the system that a packed tensor's file pages are not needed any more.
  virtual void release_pages(const HostTensor& tensor) const = 0;

  // kModelInvalid where the file on disk changed, shrank or vanished since it was opened. Called before and
  // after the weights are read: a mapping of a shrunken file must not be touched.
  virtual Status verify_unchanged() const = 0;

 protected:
  virtual std::span<const std::byte> bytes(const TensorInfo& tensor) const = 0;
};

// Opens a model file of any known format, told by its first bytes, never by its name.
Result<std::unique_ptr<Checkpoint>> open_checkpoint(const std::string& path);

}  // namespace llama_gpu::formats
