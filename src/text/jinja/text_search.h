// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "text/jinja/runtime.h"

namespace llama_gpu::text::jinja {

// Byte offset of the first occurrence of `part` at or after `from`, of the last occurrence in all, or npos.
// In linear time whatever the texts are: std::string_view::find takes quadratic time on some. What is
// searched, and the part itself, is paid for.
Result<size_t> find_first(Runtime& runtime, std::string_view text, std::string_view part, size_t from = 0);
Result<size_t> find_last(Runtime& runtime, std::string_view text, std::string_view part);

// How often `part` stands in `text`, not counting overlaps. REQUIRES: !part.empty().
Result<int64_t> count_occurrences(Runtime& runtime, std::string_view text, std::string_view part);

}  // namespace llama_gpu::text::jinja
