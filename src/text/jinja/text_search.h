// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace llama_gpu::text::jinja {

// Byte offset of the first occurrence of `part` at or after `from`, of the last occurrence in all, or npos.
// In linear time whatever the texts are: std::string_view::find takes quadratic time on some.
size_t find_first(std::string_view text, std::string_view part, size_t from = 0);
size_t find_last(std::string_view text, std::string_view part);

// How often `part` stands in `text`, not counting overlaps. REQUIRES: !part.empty().
size_t count_occurrences(std::string_view text, std::string_view part);

}  // namespace llama_gpu::text::jinja
