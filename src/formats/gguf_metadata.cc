// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf_metadata.h"

#include <fmt/format.h>

#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "formats/gguf_format.h"
#include "formats/gguf_reader.h"

namespace llama_gpu::formats {
namespace {

// Key length, one byte of key, type, one byte of value.
constexpr uint64_t kMinEntryBytes = 8 + 1 + 4 + 1;

// What a number of a file is widened to.
template <typename T>
using Widened = std::conditional_t<std::is_floating_point_v<T>, double,
                                   std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;

template <typename T>
Result<MetadataValue> read_number(BoundedReader& reader) {
  TRY(const T value, reader.read<T>("the value"));
  return MetadataValue{static_cast<Widened<T>>(value)};
}

Result<bool> read_bool(BoundedReader& reader) {
  const uint64_t start = reader.offset();
  TRY(const uint8_t byte, reader.read<uint8_t>("the value"));
  if (byte > 1) return damaged(start, fmt::format("a boolean is stored as {}, expected 0 or 1", byte));
  return byte == 1;
}

template <typename T>
Result<MetadataArray> read_numbers(BoundedReader& reader, uint64_t count) {
  TRY_STATUS(check_gguf_count(
      reader,
      {.things = "values", .count = count, .max_count = kMaxGgufArrayValues, .min_bytes = sizeof(T)}));
  TRY(const auto bytes, reader.read_bytes(count * sizeof(T), "the values"));
  std::vector<Widened<T>> values(count);
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<Widened<T>>(value);
  }
  return MetadataArray{std::move(values)};
}

Result<MetadataArray> read_bools(BoundedReader& reader, uint64_t count) {
  TRY_STATUS(check_gguf_count(
      reader, {.things = "values", .count = count, .max_count = kMaxGgufArrayValues, .min_bytes = 1}));
  std::vector<bool> values;
  values.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    TRY(const bool value, read_bool(reader));
    values.push_back(value);
  }
  return MetadataArray{std::move(values)};
}

Result<MetadataArray> read_strings(BoundedReader& reader, uint64_t count) {
  TRY_STATUS(check_gguf_count(reader, {.things = "strings",
                                       .count = count,
                                       .max_count = kMaxGgufArrayValues,
                                       .min_bytes = sizeof(uint64_t)}));
  std::vector<std::string> values;
  values.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    TRY(const std::string_view value, read_gguf_string(reader, "a string of the array", kMaxGgufStringBytes));
    values.emplace_back(value);
  }
  return MetadataArray{std::move(values)};
}

Result<GgufType> read_type(BoundedReader& reader, std::string_view field) {
  const uint64_t start = reader.offset();
  TRY(const uint32_t type, reader.read<uint32_t>(field));
  if (type >= kNumGgufTypes) {
    return damaged(start, fmt::format("{} is {}, expected 0 to {}", field, type, kNumGgufTypes - 1));
  }
  return static_cast<GgufType>(type);
}

Result<MetadataArray> read_elements(BoundedReader& reader, GgufType type, uint64_t count) {
  switch (type) {
    case GgufType::kUint8:
      return read_numbers<uint8_t>(reader, count);
    case GgufType::kInt8:
      return read_numbers<int8_t>(reader, count);
    case GgufType::kUint16:
      return read_numbers<uint16_t>(reader, count);
    case GgufType::kInt16:
      return read_numbers<int16_t>(reader, count);
    case GgufType::kUint32:
      return read_numbers<uint32_t>(reader, count);
    case GgufType::kInt32:
      return read_numbers<int32_t>(reader, count);
    case GgufType::kFloat32:
      return read_numbers<float>(reader, count);
    case GgufType::kUint64:
      return read_numbers<uint64_t>(reader, count);
    case GgufType::kInt64:
      return read_numbers<int64_t>(reader, count);
    case GgufType::kFloat64:
      return read_numbers<double>(reader, count);
    case GgufType::kBool:
      return read_bools(reader, count);
    case GgufType::kString:
      return read_strings(reader, count);
    // No model needs them, and refusing them bounds the depth.
    case GgufType::kArray:
      break;
  }
  return damaged(reader.offset(), "an array of arrays, which is not supported");
}

Result<MetadataValue> read_array(BoundedReader& reader) {
  TRY(const GgufType type, read_type(reader, "the type of the array's values"));
  TRY(const uint64_t count, reader.read<uint64_t>("the length of the array"));
  TRY(MetadataArray array, read_elements(reader, type, count));
  return MetadataValue{std::move(array)};
}

Result<MetadataValue> read_value(BoundedReader& reader, GgufType type) {
  switch (type) {
    case GgufType::kUint8:
      return read_number<uint8_t>(reader);
    case GgufType::kInt8:
      return read_number<int8_t>(reader);
    case GgufType::kUint16:
      return read_number<uint16_t>(reader);
    case GgufType::kInt16:
      return read_number<int16_t>(reader);
    case GgufType::kUint32:
      return read_number<uint32_t>(reader);
    case GgufType::kInt32:
      return read_number<int32_t>(reader);
    case GgufType::kFloat32:
      return read_number<float>(reader);
    case GgufType::kUint64:
      return read_number<uint64_t>(reader);
    case GgufType::kInt64:
      return read_number<int64_t>(reader);
    case GgufType::kFloat64:
      return read_number<double>(reader);
    case GgufType::kArray:
      return read_array(reader);
    case GgufType::kBool: {
      TRY(const bool value, read_bool(reader));
      return MetadataValue{value};
    }
    case GgufType::kString:
      break;
  }
  TRY(const std::string_view text, read_gguf_string(reader, "the string", kMaxGgufStringBytes));
  return MetadataValue{std::string(text)};
}

Result<MetadataValue> read_typed_value(BoundedReader& reader, std::string_view key) {
  const uint64_t start = reader.offset();
  TRY(const GgufType type, read_type(reader, "the value's type"));
  // The one key that changes how the file itself is read; upstream's readers take this type only.
  if (key == kGgufAlignmentKey && type != GgufType::kUint32) {
    return damaged(start, fmt::format("the value's type is {}, expected {} (an unsigned 32-bit integer)",
                                      static_cast<uint32_t>(type), static_cast<uint32_t>(GgufType::kUint32)));
  }
  const uint64_t value_offset = reader.offset();
  Result<MetadataValue> value = read_value(reader, type);
  if (value.ok()) value->byte_offset = value_offset;
  return value;
}

Status read_entry(BoundedReader& reader, Metadata& metadata) {
  const uint64_t start = reader.offset();
  TRY(std::string key, read_gguf_name(reader, "a metadata key", kMaxGgufKeyBytes));
  if (metadata.find(key) != nullptr) {
    return damaged(start, fmt::format("metadata key {} stands twice in the file", quoted_name(key)));
  }
  Result<MetadataValue> value = read_typed_value(reader, key);
  if (!value.ok()) {
    Error error = std::move(value).error();
    error.message = fmt::format("metadata key {}: {}", quoted_name(key), error.message);
    return error;
  }
  metadata.insert(std::move(key), std::move(value).value());
  return {};
}

}  // namespace

Result<Metadata> read_gguf_metadata(BoundedReader& reader, uint64_t count) {
  TRY_STATUS(check_gguf_count(reader, {.things = "metadata entries",
                                       .count = count,
                                       .max_count = kMaxGgufEntries,
                                       .min_bytes = kMinEntryBytes}));
  Metadata metadata;
  for (uint64_t i = 0; i < count; ++i) TRY_STATUS(read_entry(reader, metadata));
  return metadata;
}

}  // namespace llama_gpu::formats
