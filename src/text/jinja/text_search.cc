// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/text_search.h"

#include <cstring>
#include <string>

namespace llama_gpu::text::jinja {

size_t find_first(std::string_view text, std::string_view part, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (part.empty()) return from;
  if (part.size() > text.size() - from) return std::string_view::npos;
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

size_t find_last(std::string_view text, std::string_view part) {
  const std::string reversed_text(text.rbegin(), text.rend()), reversed_part(part.rbegin(), part.rend());
  const size_t found = find_first(reversed_text, reversed_part);
  return found == std::string_view::npos ? found : text.size() - found - part.size();
}

size_t count_occurrences(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t pos = find_first(text, part); pos != std::string_view::npos;
       pos = find_first(text, part, pos + part.size())) {
    ++count;
  }
  return count;
}

}  // namespace llama_gpu::text::jinja
