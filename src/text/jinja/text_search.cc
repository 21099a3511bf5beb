// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/text_search.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace llama_gpu::text::jinja {

Result<size_t> find_first(Runtime& runtime, std::string_view text, std::string_view part, size_t from) {
  constexpr size_t kNotThere = std::string_view::npos;
  if (from > text.size()) return kNotThere;
  if (part.empty()) return from;
  if (part.size() > text.size() - from) return kNotThere;
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  const size_t place =
      found == nullptr ? kNotThere : static_cast<size_t>(static_cast<const char*>(found) - text.data());
  TRY_STATUS(runtime.spend_bytes(std::min(place, text.size()) - from + 2 * part.size()));
  return place;
}

Result<size_t> find_last(Runtime& runtime, std::string_view text, std::string_view part) {
  TRY_STATUS(runtime.spend_bytes(text.size() + part.size()));
  const std::string reversed_text(text.rbegin(), text.rend()), reversed_part(part.rbegin(), part.rend());
  TRY(const size_t found, find_first(runtime, reversed_text, reversed_part));
  return found == std::string_view::npos ? found : text.size() - found - part.size();
}

Result<int64_t> count_occurrences(Runtime& runtime, std::string_view text, std::string_view part) {
  int64_t count = 0;
  for (size_t from = 0;; ++count) {
    TRY(const size_t place, find_first(runtime, text, part, from));
    if (place == std::string_view::npos) return count;
    from = place + part.size();
  }
}

}  // namespace llama_gpu::text::jinja
