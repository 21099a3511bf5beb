// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf_writer.h"

#include <bit>
#include <fstream>
#include <type_traits>

#include "base/check.h"

namespace llama_gpu::formats {
namespace {

template <typename T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
void append(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little, "GGUF is little-endian");
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_string(std::string& out, std::string_view text) {
  append(out, uint64_t{text.size()});
  out += text;
}

void pad(std::string& out, uint64_t alignment) {
  out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
}

template <typename T>
void append_array(std::string& out, GgufType type, std::span<const T> values) {
  append(out, type);
  append(out, uint64_t{values.size()});
  for (const T value : values) append(out, value);
}

}  // namespace

GgufWriter::GgufWriter(uint32_t version, uint64_t alignment) : version_(version), alignment_(alignment) {
  CHECK(std::has_single_bit(alignment) && alignment >= kMinGgufAlignment && alignment <= kMaxGgufAlignment,
        "an alignment that no reader takes");
  if (alignment != kDefaultGgufAlignment) add_u32(kGgufAlignmentKey, static_cast<uint32_t>(alignment));
}

void GgufWriter::begin_entry(std::string_view key, GgufType type) {
  ++num_entries_;
  append_string(entries_, key);
  append(entries_, type);
}

void GgufWriter::add_u32(std::string_view key, uint32_t value) {
  begin_entry(key, GgufType::kUint32);
  append(entries_, value);
}

void GgufWriter::add_u64(std::string_view key, uint64_t value) {
  begin_entry(key, GgufType::kUint64);
  append(entries_, value);
}

void GgufWriter::add_i32(std::string_view key, int32_t value) {
  begin_entry(key, GgufType::kInt32);
  append(entries_, value);
}

void GgufWriter::add_f32(std::string_view key, float value) {
  begin_entry(key, GgufType::kFloat32);
  append(entries_, value);
}

void GgufWriter::add_bool(std::string_view key, bool value) {
  begin_entry(key, GgufType::kBool);
  append(entries_, static_cast<uint8_t>(value));
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  begin_entry(key, GgufType::kString);
  append_string(entries_, value);
}

void GgufWriter::add_strings(std::string_view key, std::span<const std::string> values) {
  begin_entry(key, GgufType::kArray);
  append(entries_, GgufType::kString);
  append(entries_, uint64_t{values.size()});
  for (const std::string& value : values) append_string(entries_, value);
}

void GgufWriter::add_f32s(std::string_view key, std::span<const float> values) {
  begin_entry(key, GgufType::kArray);
  append_array(entries_, GgufType::kFloat32, values);
}

void GgufWriter::add_i32s(std::string_view key, std::span<const int32_t> values) {
  begin_entry(key, GgufType::kArray);
  append_array(entries_, GgufType::kInt32, values);
}

void GgufWriter::add_raw(std::string_view key, GgufType type, std::string_view bytes) {
  begin_entry(key, type);
  entries_ += bytes;
}

void GgufWriter::add_tensor(std::string_view name, DType dtype, std::span<const int64_t> shape,
                            std::string_view bytes) {
  CHECK(!shape.empty() && shape.size() <= kMaxGgufAxes, "a tensor of that many axes cannot be stored");
  int64_t expected_bytes = row_bytes(dtype, shape.back());
  for (const int64_t length : shape.first(shape.size() - 1)) expected_bytes *= length;
  CHECK(static_cast<int64_t>(bytes.size()) == expected_bytes, "the bytes are not those of the shape");

  pad(data_, alignment_);
  ++num_tensors_;
  append_string(declarations_, name);
  append(declarations_, static_cast<uint32_t>(shape.size()));
  for (auto length = shape.rbegin(); length != shape.rend(); ++length) append(declarations_, *length);
  append(declarations_, dtype_info(dtype).gguf_id);
  append(declarations_, uint64_t{data_.size()});
  data_ += bytes;
}

std::string GgufWriter::to_bytes() const {
  std::string out(kGgufMagic);
  append(out, version_);
  append(out, num_tensors_);
  append(out, num_entries_);
  out += entries_;
  out += declarations_;
  pad(out, alignment_);
  out += data_;
  pad(out, alignment_);
  return out;
}

Status GgufWriter::write(const std::string& path) const {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << to_bytes();
  out.close();
  if (!out)
    return Error{ErrorCode::kIoFailed, "'" + path + "' cannot be written",
                 "check its folder and the free space"};
  return {};
}

}  // namespace llama_gpu::formats
