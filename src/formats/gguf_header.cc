// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "formats/gguf_format.h"
#include "formats/gguf_metadata.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_tensors.h"

namespace llama_gpu::formats {
namespace {

constexpr uint64_t kVersionOffset = 4;

Status read_magic(BoundedReader& reader) {
  TRY(const auto magic, reader.read_bytes(kGgufMagic.size(), "the magic number 'GGUF'"));
  if (std::memcmp(magic.data(), kGgufMagic.data(), kGgufMagic.size()) == 0) return {};
  const std::string_view found(reinterpret_cast<const char*>(magic.data()), magic.size());
  return damaged(0, fmt::format("the file begins with {}, expected 'GGUF'", quoted_name(found)));
}

Result<uint32_t> read_version(BoundedReader& reader) {
  TRY(const uint32_t version, reader.read<uint32_t>("the version"));
  if (version >= kOldestGgufVersion && version <= kNewestGgufVersion) return version;
  const auto unsupported = [](std::string message, std::string hint) {
    return Error{ErrorCode::kUnsupportedModel, std::move(message), std::move(hint), /*param=*/"",
                 kVersionOffset};
  };
  if (version != 0 && (version & 0xFFFF) == 0) {
    return unsupported("the file is a big-endian GGUF file, expected a little-endian one",
                       "take the model's little-endian file");
  }
  return unsupported(fmt::format("the file is of GGUF version {}, expected {} or {}", version,
                                 kOldestGgufVersion, kNewestGgufVersion),
                     version > kNewestGgufVersion ? "update this program, or take an older file of the model"
                                                  : "convert the model again with a current converter");
}

Result<uint64_t> read_alignment(const Metadata& metadata) {
  TRY(const int64_t alignment,
      metadata.integer_or(kGgufAlignmentKey, kMinGgufAlignment, kMaxGgufAlignment, kDefaultGgufAlignment));
  if (!std::has_single_bit(static_cast<uint64_t>(alignment))) {
    return damaged(
        *metadata.find(kGgufAlignmentKey)->byte_offset,
        fmt::format("metadata key '{}' is {}, expected a power of two", kGgufAlignmentKey, alignment));
  }
  return static_cast<uint64_t>(alignment);
}

Result<GgufHeader> read_header(BoundedReader& reader, uint64_t file_bytes) {
  GgufHeader header;
  TRY_STATUS(read_magic(reader));
  TRY(header.version, read_version(reader));
  TRY(const uint64_t num_tensors, reader.read<uint64_t>("the number of tensors"));
  TRY(const uint64_t num_entries, reader.read<uint64_t>("the number of metadata entries"));
  // Before the entries are read: a file may say it wrong in either place.
  TRY_STATUS(check_gguf_count(
      reader, {.things = "tensors", .count = num_tensors, .max_count = kMaxGgufTensors, .min_bytes = 1}));
  TRY(header.metadata, read_gguf_metadata(reader, num_entries));
  TRY(header.alignment, read_alignment(header.metadata));
  TRY(GgufTensors placed,
      read_gguf_tensors(reader, num_tensors, {.alignment = header.alignment, .file_bytes = file_bytes}));
  header.tensors = std::move(placed.tensors);
  header.trailing_bytes = file_bytes - std::min(placed.end_offset, file_bytes);
  return header;
}

}  // namespace

Result<GgufHeader> parse_gguf_header(std::span<const std::byte> file) {
  // A sparse file may be larger than any memory; what a header makes us keep has to end somewhere.
  const bool is_capped = file.size() > kMaxGgufHeaderBytes;
  BoundedReader reader(is_capped ? file.first(kMaxGgufHeaderBytes) : file, ErrorCode::kModelTruncated);
  Result<GgufHeader> header = read_header(reader, file.size());
  const bool ran_out = !header.ok() && header.error().code == ErrorCode::kModelTruncated;
  if (is_capped && ran_out && reader.remaining() < kMaxGgufHeaderBytes / 2) {
    return damaged(reader.offset(),
                   fmt::format("the header does not end within {} bytes", kMaxGgufHeaderBytes));
  }
  return header;
}

}  // namespace llama_gpu::formats
