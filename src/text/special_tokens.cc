// SPDX-License-Identifier: Apache-2.0
#include "text/special_tokens.h"

#include <algorithm>
#include <utility>

namespace llama_gpu::text {

SpecialTokens::SpecialTokens(std::vector<SpecialToken> tokens) : tokens_(std::move(tokens)) {
  std::ranges::sort(tokens_, {}, &SpecialToken::text);
  for (const SpecialToken& token : tokens_) ++begin_of_byte_[static_cast<uint8_t>(token.text[0]) + size_t{1}];
  for (size_t byte = 1; byte < begin_of_byte_.size(); ++byte)
    begin_of_byte_[byte] += begin_of_byte_[byte - 1];
}

std::optional<SpecialTokens::Match> SpecialTokens::find(std::string_view text, size_t from,
                                                        std::span<const ByteRange> allowed) const {
  if (tokens_.empty()) return std::nullopt;
  auto range = allowed.begin();
  for (size_t at = from; at < text.size(); ++at) {
    while (range != allowed.end() && range->end <= at) ++range;
    const bool is_allowed = range != allowed.end() && range->begin <= at;
    if (auto match = longest_at(text, at, is_allowed ? range->end : 0)) return match;
  }
  return std::nullopt;
}

std::optional<SpecialTokens::Match> SpecialTokens::longest_at(std::string_view text, size_t at,
                                                              size_t allowed_end) const {
  const size_t first_byte = static_cast<uint8_t>(text[at]);
  auto low = tokens_.begin() + static_cast<std::ptrdiff_t>(begin_of_byte_[first_byte]);
  auto high = tokens_.begin() + static_cast<std::ptrdiff_t>(begin_of_byte_[first_byte + 1]);
  std::optional<Match> longest;
  // [low, high): the tokens that begin with text[at .. end). A shorter one sorts first.
  for (size_t end = at + 1; low != high; ++end) {
    const size_t size = end - at;
    if (low->text.size() == size) {
      if (low->is_found_anywhere || end <= allowed_end) longest = Match{low->id, {at, end}};
      ++low;
    }
    if (end == text.size()) break;
    const auto next_byte = [&](const SpecialToken& token) { return static_cast<uint8_t>(token.text[size]); };
    const auto same = std::ranges::equal_range(low, high, static_cast<uint8_t>(text[end]), {}, next_byte);
    low = same.begin();
    high = same.end();
  }
  return longest;
}

}  // namespace llama_gpu::text
