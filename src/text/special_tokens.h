// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/token_id.h"

namespace llama_gpu::text {

// Part of a text, in bytes: [begin, end).
struct ByteRange {
  size_t begin = 0;
  size_t end = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// A token whose text stands for it as a whole, before any other rule.
struct SpecialToken {
  std::string text;
  TokenId id = 0;
  bool is_found_anywhere = false;  // user-defined tokens: also in what a user wrote
};

// Finds special tokens in text: at the leftmost place where one begins the longest one. Immutable.
class SpecialTokens {
 public:
  // REQUIRES: texts are not empty and differ from each other.
  explicit SpecialTokens(std::vector<SpecialToken> tokens);

  // A token and the bytes that are it.
  struct Match {
    TokenId id = 0;
    ByteRange place;
  };
  // The first match at or behind `from`. One that is not found anywhere lies inside one of `allowed`, which
  // are in order and do not touch.
  std::optional<Match> find(std::string_view text, size_t from, std::span<const ByteRange> allowed) const;

 private:
  // The longest token that begins at `at`; only those found anywhere may pass `allowed_end`.
  std::optional<Match> longest_at(std::string_view text, size_t at, size_t allowed_end) const;

  std::vector<SpecialToken> tokens_;         // sorted by text
  std::array<size_t, 257> begin_of_byte_{};  // where texts with that first byte begin in tokens_
};

}  // namespace llama_gpu::text
