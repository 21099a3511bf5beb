// SPDX-License-Identifier: Apache-2.0
#include "formats/checkpoint.h"

#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/strings.h"
#include "formats/gguf.h"
#include "formats/gguf_format.h"
#include "formats/mapped_file.h"

namespace llama_gpu::formats {
namespace {

// Files that people take for a model of ours, and how they begin.
struct OtherFile {
  std::string_view beginning;
  size_t offset;
  ErrorCode code;
  std::string_view what;
  std::string_view hint;
};
constexpr std::string_view kConvertHint = "convert the model to GGUF, or take its GGUF file";
constexpr OtherFile kOtherFiles[] = {
    {"PK\x03\x04", 0, ErrorCode::kUnsupportedModel, "a ZIP archive, as PyTorch saves models", kConvertHint},
    {"\x80\x02", 0, ErrorCode::kUnsupportedModel, "a Python pickle, which is never opened", kConvertHint},
    {"{\"", 8, ErrorCode::kUnsupportedModel, "a safetensors file", kConvertHint},
    {"lmgg", 0, ErrorCode::kUnsupportedModel, "a file of GGML, which is older than GGUF", kConvertHint},
    {"tjgg", 0, ErrorCode::kUnsupportedModel, "a file of GGML, which is older than GGUF", kConvertHint},
    {"version https://git-lfs", 0, ErrorCode::kModelInvalid,
     "a Git LFS pointer instead of the file it stands for", "get the file itself: git lfs pull"},
    {"<!DOCTYPE", 0, ErrorCode::kModelInvalid, "a web page",
     "get the file itself: its address led to a page about it"},
    {"<html", 0, ErrorCode::kModelInvalid, "a web page",
     "get the file itself: its address led to a page about it"},
};

Error not_a_model(std::string_view file) {
  for (const OtherFile& other : kOtherFiles) {
    if (file.size() < other.offset || !file.substr(other.offset).starts_with(other.beginning)) continue;
    return {other.code, fmt::format("the file is {}, expected a GGUF file", other.what),
            std::string(other.hint),
            /*param=*/"", /*byte_offset=*/0};
  }
  return {ErrorCode::kModelInvalid,
          fmt::format("the file begins with '{}', expected '{}'",
                      escape_line(file.substr(0, kGgufMagic.size())), kGgufMagic),
          "name a GGUF file", /*param=*/"", /*byte_offset=*/0};
}

Result<std::unique_ptr<Checkpoint>> open_by_content(MappedFile file) {
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  // A file of less than a magic number is cut short rather than of another kind.
  const bool is_gguf = text.starts_with(kGgufMagic) || kGgufMagic.starts_with(text);
  if (!is_gguf) return not_a_model(text);
  return open_gguf(std::move(file));
}

// "[rows, cols]"
std::string shape_text(const TensorInfo& info) {
  std::string text;
  for (const int64_t length : info.shape)
    fmt::format_to(std::back_inserter(text), "{}{}", text.empty() ? "[" : ", ", length);
  return text + "]";
}

}  // namespace

Checkpoint::Checkpoint(std::vector<TensorInfo> tensors) : tensors_(std::move(tensors)) {
  by_name_.reserve(tensors_.size());
  for (const TensorInfo& info : tensors_) {
    const bool is_new = by_name_.emplace(info.name, &info).second;
    CHECK(is_new, "two tensors of one name");
  }
}

const TensorInfo* Checkpoint::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

Result<HostTensor> Checkpoint::tensor(std::string_view name, int64_t rows, int64_t cols) const {
  CHECK(rows > 0 && cols > 0, "no weight is empty");
  const TensorInfo* info = find(name);
  if (info == nullptr) {
    return Error{ErrorCode::kModelInvalid,
                 fmt::format("tensor '{}' of shape [{}, {}] is missing", name, rows, cols),
                 "the file is incomplete, or not of the architecture it names: get it again"};
  }
  if (info->rows() != rows || info->cols() != cols) {
    return Error{
        ErrorCode::kModelInvalid,
        fmt::format("tensor '{}' has shape {}, expected [{}, {}]", name, shape_text(*info), rows, cols),
        "its metadata and its tensors contradict each other: get the file again",
        /*param=*/"", info->declared_at_byte};
  }
  return HostTensor{.dtype = info->dtype, .rows = rows, .cols = cols, .bytes = bytes(*info)};
}

Error in_model_file(Error error, std::string_view path) {
  error.message = fmt::format("'{}': {}", escape_line(path), error.message);
  if (error.byte_offset) error.message += fmt::format(", at byte {}", *error.byte_offset);
  return error;
}

Result<std::unique_ptr<Checkpoint>> open_checkpoint(const std::string& path) {
  TRY(MappedFile file, MappedFile::open(path));
  Result<std::unique_ptr<Checkpoint>> checkpoint = open_by_content(std::move(file));
  if (checkpoint.ok()) return checkpoint;
  return in_model_file(std::move(checkpoint).error(), path);
}

}  // namespace llama_gpu::formats
