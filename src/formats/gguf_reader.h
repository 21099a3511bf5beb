// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bounded_reader.h"
#include "base/result.h"

namespace llama_gpu::formats {

// What the readers of GGUF's parts share.

// kModelInvalid at `byte_offset`.
Error damaged(uint64_t byte_offset, std::string message);
// kModelTruncated at `byte_offset`.
Error cut_short(uint64_t byte_offset, std::string message);
// A name from a file in quotes, fit for an error message.
std::string quoted_name(std::string_view name);

// A string's bytes, at most `max_bytes` of them, valid as long as the file's.
Result<std::string_view> read_gguf_string(BoundedReader& reader, std::string_view field, uint64_t max_bytes);
// The same for a name: not empty, UTF-8, without NUL.
Result<std::string> read_gguf_name(BoundedReader& reader, std::string_view field, uint64_t max_bytes);

// How many things of one kind a file declares, and what limits that.
struct GgufCount {
  std::string_view things;
  uint64_t count = 0;
  uint64_t max_count = 0;
  uint64_t min_bytes = 1;  // of one thing
};

// Fails where the things cannot stand in the rest of the file, before anything is allocated for them: more
// than the maximum is damage, more than there are bytes for is a file cut short.
Status check_gguf_count(const BoundedReader& reader, const GgufCount& declared);

}  // namespace llama_gpu::formats
