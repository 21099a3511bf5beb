// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "formats/metadata.h"
#include "formats/tensor_info.h"
#include "tensor/views.h"

namespace llama_gpu::formats {

// A model's files, opened and checked: metadata and tensors. Immutable after open; readers on any thread.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  virtual const std::string& path() const = 0;
  virtual uint64_t size_bytes() const = 0;
  virtual const Metadata& metadata() const = 0;
  // What is odd about the files, though they can be used: one sentence each, for the log.
  virtual const std::vector<std::string>& warnings() const = 0;
  // In the files' order.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  // The tensor's bytes, valid as long as the checkpoint; a tensor of more than two axes is flattened to rows
  // of its innermost axis. kModelInvalid naming the tensor where there is none of that name or its shape is
  // not {rows, cols} ({cols} counts as one row). REQUIRES: rows > 0, cols > 0.
  Result<HostTensor> tensor(std::string_view name, int64_t rows, int64_t cols) const;
  // nullptr where there is none.
  const TensorInfo* find(std::string_view name) const;

  // Tells the system that a packed tensor's file pages are not needed any more; its bytes stay readable.
  virtual void release_pages(const HostTensor& tensor) const = 0;

  // kModelChanged where a file on disk changed, shrank or vanished since it was opened. Called before
  // each tensor is read, and after the last: a mapping of a shrunken file must not be touched (see
  // MappedFile).
  virtual Status verify_unchanged() const = 0;

 protected:
  // REQUIRES: no two tensors of one name.
  explicit Checkpoint(std::vector<TensorInfo> tensors);

  virtual std::span<const std::byte> bytes(const TensorInfo& tensor) const = 0;

 private:
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string_view, const TensorInfo*> by_name_;  // points into tensors_
};

// The error of a model file as a person wants it: named in front, and with the byte behind, where one is
// known.
Error in_model_file(Error error, std::string_view path);

// Opens a model file of any known format, told by its first bytes, never by its name. kFileNotFound,
// kPermissionDenied, kNotAFile, kModelInvalid, kModelTruncated or kUnsupportedModel.
Result<std::unique_ptr<Checkpoint>> open_checkpoint(const std::string& path);

}  // namespace llama_gpu::formats
