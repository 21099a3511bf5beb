// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "text/jinja/runtime.h"
#include "text/jinja/tagged_text.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// What filters and methods do to text, as Python's str does it. Each character keeps its origin.

enum class Sides : uint8_t { kLeft, kRight, kBoth };
// Without whitespace at the sides, or without the characters of `chars` where it is not null.
Result<Value> strip(Runtime& runtime, const TaggedText& text, const TaggedText* chars, Sides sides);
// The characters between begin and end, without whitespace at the sides.
std::string_view without_space(std::string_view text);

// Python's upper, lower, capitalize, title and swapcase.
enum class CaseChange : uint8_t { kUpper, kLower, kCapitalize, kTitle, kSwap };
Result<Value> change_case(Runtime& runtime, const TaggedText& text, CaseChange change);

// The same text in lower case, other values as they are: how filters compare when they ignore case.
Result<Value> fold_case(Runtime& runtime, const Value& value, bool is_case_sensitive);

// Without a `max_count` (negative) every occurrence of `old` is replaced.
struct Replacement {
  const TaggedText& old;
  const TaggedText& with;
  int64_t max_count = -1;
};
Result<Value> replace(Runtime& runtime, const TaggedText& text, const Replacement& replacement);

// The parts between whitespace, or between separators where `separator` is not null and not empty; at most
// `max_splits` cuts where that is not negative, counted from the right with `from_right`.
struct Split {
  const TaggedText* separator = nullptr;
  int64_t max_splits = -1;
  bool from_right = false;
};
// A list value.
Result<Value> split(Runtime& runtime, const TaggedText& text, const Split& how);

// A line of a text: bytes [begin, end), its line end up to `next`.
struct Line {
  size_t begin, end, next;
};
// The line that starts at `begin`. REQUIRES: begin < text.size().
Line line_at(std::string_view text, size_t begin);
// The lines as a list value, with their ends where `keeps_ends`.
Result<Value> split_lines(Runtime& runtime, const TaggedText& text, bool keeps_ends);

// Items as Python's str, with `separator` between them. A method joins only text: `items_must_be_text`.
Result<Value> join(Runtime& runtime, const TaggedText& separator, const Value& items,
                   bool items_must_be_text);

}  // namespace llama_gpu::text::jinja
