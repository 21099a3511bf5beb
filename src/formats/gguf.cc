// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "formats/gguf_header.h"

namespace llama_gpu::formats {
namespace {

std::vector<std::string> warnings_of(const GgufHeader& header) {
  if (header.trailing_bytes == 0) return {};
  return {fmt::format("{} bytes behind the last tensor are ignored", header.trailing_bytes)};
}

class GgufCheckpoint : public Checkpoint {
 public:
  GgufCheckpoint(MappedFile file, GgufHeader header)
      : Checkpoint(std::move(header.tensors)),
        file_(std::move(file)),
        warnings_(warnings_of(header)),
        metadata_(std::move(header.metadata)) {}

  const std::string& path() const override { return file_.path(); }
  uint64_t size_bytes() const override { return file_.bytes().size(); }
  const Metadata& metadata() const override { return metadata_; }
  const std::vector<std::string>& warnings() const override { return warnings_; }
  void release_pages(const HostTensor& tensor) const override { file_.release_pages(tensor.bytes); }
  Status verify_unchanged() const override { return file_.verify_unchanged(); }

 protected:
  std::span<const std::byte> bytes(const TensorInfo& tensor) const override {
    return file_.bytes().subspan(tensor.file_offset, tensor.size_bytes);
  }

 private:
  MappedFile file_;
  std::vector<std::string> warnings_;
  Metadata metadata_;
};

// A file that llama.cpp split carries its place; 0 and 1 stand in whole ones.
Status check_is_whole(const Metadata& metadata) {
  TRY(const int64_t num_parts,
      metadata.integer_or("split.count", 0, std::numeric_limits<uint16_t>::max(), 1));
  if (num_parts <= 1) return {};
  TRY(const int64_t part, metadata.integer_or("split.no", 0, num_parts - 1, 0));
  return Error{
      ErrorCode::kUnsupportedModel,
      fmt::format("the file is part {} of {} of a split model, expected a whole one", part + 1, num_parts),
      "merge the parts (llama-gguf-split --merge), or take the model in one file"};
}

}  // namespace

Result<std::unique_ptr<Checkpoint>> open_gguf(MappedFile file) {
  TRY(GgufHeader header, parse_gguf_header(file.bytes()));
  TRY_STATUS(check_is_whole(header.metadata));
  return std::unique_ptr<Checkpoint>(std::make_unique<GgufCheckpoint>(std::move(file), std::move(header)));
}

}  // namespace llama_gpu::formats
