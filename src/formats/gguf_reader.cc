// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf_reader.h"

#include <fmt/format.h>

#include <utility>

#include "base/strings.h"

namespace llama_gpu::formats {

Error damaged(uint64_t byte_offset, std::string message) {
  return {ErrorCode::kModelInvalid, std::move(message),
          "the file is damaged: get it again, and compare its SHA-256 with the one its source names",
          /*param=*/"", byte_offset};
}

Error cut_short(uint64_t byte_offset, std::string message) {
  return {ErrorCode::kModelTruncated, std::move(message), "the file is incomplete: get it again",
          /*param=*/"", byte_offset};
}

std::string quoted_name(std::string_view name) { return fmt::format("'{}'", escape_line(name, 80)); }

Result<std::string_view> read_gguf_string(BoundedReader& reader, std::string_view field, uint64_t max_bytes) {
  const uint64_t start = reader.offset();
  TRY(const uint64_t size_bytes, reader.read<uint64_t>(field));
  if (size_bytes > max_bytes) {
    return damaged(start,
                   fmt::format("{} is {} bytes long, expected at most {}", field, size_bytes, max_bytes));
  }
  TRY(const auto bytes, reader.read_bytes(size_bytes, field));
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<std::string> read_gguf_name(BoundedReader& reader, std::string_view field, uint64_t max_bytes) {
  const uint64_t start = reader.offset();
  TRY(const std::string_view name, read_gguf_string(reader, field, max_bytes));
  if (name.empty()) return damaged(start, fmt::format("{} is empty", field));
  if (name.find('\0') != std::string_view::npos || !is_valid_utf8(name)) {
    return damaged(start, fmt::format("{} {} is not UTF-8 text without NUL", field, quoted_name(name)));
  }
  return std::string(name);
}

Status check_gguf_count(const BoundedReader& reader, const GgufCount& declared) {
  if (declared.count > declared.max_count) {
    return damaged(reader.offset(), fmt::format("{} {} are declared, expected at most {}", declared.count,
                                                declared.things, declared.max_count));
  }
  if (declared.count > reader.remaining() / declared.min_bytes) {
    return cut_short(reader.offset(), fmt::format("{} {} are declared, the {} bytes behind cannot hold them",
                                                  declared.count, declared.things, reader.remaining()));
  }
  return {};
}

}  // namespace llama_gpu::formats
