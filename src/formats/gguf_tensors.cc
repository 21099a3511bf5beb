// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/checked_math.h"
#include "formats/gguf_format.h"
#include "formats/gguf_reader.h"

namespace llama_gpu::formats {
namespace {

// Name length, one byte of name, number of axes, one axis, type, offset.
constexpr uint64_t kMinDeclarationBytes = 8 + 1 + 4 + 8 + 4 + 8;

// Types of ggml that are not in DType: for the message.
struct OtherType {
  uint32_t gguf_id;
  std::string_view name;
};
constexpr OtherType kOtherTypes[] = {
    {6, "Q5_0"},   {7, "Q5_1"},     {9, "Q8_1"},    {10, "Q2_K"},    {11, "Q3_K"},  {13, "Q5_K"},
    {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"},
    {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"}, {24, "I8"},      {25, "I16"},   {26, "I32"},
    {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},  {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"},
    {40, "NVFP4"}, {41, "Q1_0"},
};

// A declaration as it stands in the file; `info` lacks its place.
struct Declaration {
  TensorInfo info;
  uint64_t data_offset = 0;
};

Result<DType> read_dtype(BoundedReader& reader) {
  const uint64_t start = reader.offset();
  TRY(const uint32_t id, reader.read<uint32_t>("the number type"));
  if (const std::optional<DType> dtype = dtype_from_gguf(id)) return *dtype;
  for (const OtherType& other : kOtherTypes) {
    if (other.gguf_id != id) continue;
    return Error{ErrorCode::kUnsupportedModel, fmt::format("its numbers are stored as {}", other.name),
                 "take the model in one of F32, F16, BF16, Q4_0, Q4_1, Q8_0, Q4_K or Q6_K", /*param=*/"",
                 start};
  }
  return damaged(start, fmt::format("number type {} is unknown, or was removed from the format", id));
}

Result<std::vector<int64_t>> read_shape(BoundedReader& reader) {
  const uint64_t start = reader.offset();
  TRY(const uint32_t num_axes, reader.read<uint32_t>("the number of axes"));
  if (num_axes < 1 || num_axes > kMaxGgufAxes) {
    return damaged(start, fmt::format("{} axes are declared, expected 1 to {}", num_axes, kMaxGgufAxes));
  }
  std::vector<int64_t> shape(num_axes);
  int64_t num_values = 1;
  for (auto length = shape.rbegin(); length != shape.rend(); ++length) {
    const uint64_t axis_start = reader.offset();
    TRY(*length, reader.read<int64_t>("the length of an axis"));
    if (*length < 0)
      return damaged(axis_start, fmt::format("an axis has length {}, expected 0 or more", *length));
    const std::optional<int64_t> product = checked_mul(num_values, std::max<int64_t>(*length, 1));
    if (!product) return damaged(axis_start, "its axes multiply to more than 2^63 values");
    num_values = *product;
  }
  return shape;
}

// The bytes of a tensor; the error has no offset yet.
Result<uint64_t> size_of(const TensorInfo& info) {
  const DTypeInfo& type = dtype_info(info.dtype);
  if (info.cols() % type.block_values != 0) {
    return damaged(info.declared_at_byte, fmt::format("a row has {} values, expected a multiple of {} for {}",
                                                      info.cols(), type.block_values, type.name));
  }
  const std::optional<int64_t> row = checked_mul<int64_t>(info.cols() / type.block_values, type.block_bytes);
  const std::optional<int64_t> size = row ? checked_mul(*row, info.rows()) : std::nullopt;
  if (!size) return damaged(info.declared_at_byte, "its size in bytes is more than 2^63");
  return static_cast<uint64_t>(*size);
}

Result<Declaration> read_fields(BoundedReader& reader, TensorInfo info) {
  TRY(info.shape, read_shape(reader));
  TRY(info.dtype, read_dtype(reader));
  TRY(const uint64_t data_offset, reader.read<uint64_t>("the offset of its data"));
  TRY(info.size_bytes, size_of(info));
  return Declaration{std::move(info), data_offset};
}

Error in_tensor(std::string_view name, Error error) {
  error.message = fmt::format("tensor {}: {}", quoted_name(name), error.message);
  return error;
}

Result<Declaration> read_declaration(BoundedReader& reader) {
  const uint64_t start = reader.offset();
  TRY(std::string name, read_gguf_name(reader, "a tensor's name", kMaxGgufTensorNameBytes));
  TensorInfo info;
  info.name = name;
  info.declared_at_byte = start;
  Result<Declaration> declaration = read_fields(reader, std::move(info));
  if (!declaration.ok()) return in_tensor(name, std::move(declaration).error());
  return declaration;
}

// Places tensors one behind the other in a file's data.
class Placement {
 public:
  Placement(uint64_t data_start, GgufDataBounds bounds) : data_start_(data_start), bounds_(bounds) {}

  // Sets info's place. Kept strict: a tensor anywhere else shares bytes with another or hides some.
  Status place(Declaration& declaration) {
    TensorInfo& info = declaration.info;
    const uint64_t offset = declaration.data_offset;
    if (offset % bounds_.alignment != 0) {
      return damaged(
          info.declared_at_byte,
          fmt::format("its data start at offset {}, expected a multiple of {}", offset, bounds_.alignment));
    }
    if (offset != next_offset_) {
      return damaged(
          info.declared_at_byte,
          fmt::format("its data start at offset {}, expected {}: {}", offset, next_offset_,
                      offset < next_offset_ ? "it overlaps another tensor" : "there is a hole before it"));
    }
    TRY_STATUS(check_in_file(info));
    info.file_offset = data_start_ + offset;
    // In the file, so that no sum of these can overflow.
    next_offset_ = *checked_align_up(offset + info.size_bytes, bounds_.alignment);
    return {};
  }

  uint64_t end_offset() const { return data_start_ + next_offset_; }

 private:
  Status check_in_file(const TensorInfo& info) const {
    const uint64_t start = data_start_ + next_offset_;
    if (start <= bounds_.file_bytes && info.size_bytes <= bounds_.file_bytes - start) return {};
    return cut_short(info.declared_at_byte,
                     fmt::format("its {} bytes start at byte {}, the file ends at byte {}", info.size_bytes,
                                 start, bounds_.file_bytes));
  }

  uint64_t data_start_;
  GgufDataBounds bounds_;
  uint64_t next_offset_ = 0;
};

Result<std::vector<Declaration>> read_declarations(BoundedReader& reader, uint64_t count) {
  TRY_STATUS(check_gguf_count(reader, {.things = "tensors",
                                       .count = count,
                                       .max_count = kMaxGgufTensors,
                                       .min_bytes = kMinDeclarationBytes}));
  std::vector<Declaration> declarations;
  std::unordered_set<std::string> names;
  for (uint64_t i = 0; i < count; ++i) {
    TRY(Declaration declaration, read_declaration(reader));
    if (!names.insert(declaration.info.name).second) {
      return damaged(declaration.info.declared_at_byte,
                     fmt::format("tensor {} stands twice in the file", quoted_name(declaration.info.name)));
    }
    declarations.push_back(std::move(declaration));
  }
  return declarations;
}

}  // namespace

Result<GgufTensors> read_gguf_tensors(BoundedReader& reader, uint64_t count, GgufDataBounds bounds) {
  TRY(std::vector<Declaration> declarations, read_declarations(reader, count));
  Placement placement(*checked_align_up(reader.offset(), bounds.alignment), bounds);
  GgufTensors placed;
  placed.tensors.reserve(declarations.size());
  for (Declaration& declaration : declarations) {
    if (Status status = placement.place(declaration); !status.ok()) {
      return in_tensor(declaration.info.name, std::move(status).error());
    }
    placed.tensors.push_back(std::move(declaration.info));
  }
  placed.end_offset = placement.end_offset();
  return placed;
}

}  // namespace llama_gpu::formats
