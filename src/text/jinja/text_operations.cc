// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/text_operations.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "text/jinja/iteration.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_search.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

// The characters that strip() takes off.
class StripSet {
 public:
  explicit StripSet(const TaggedText* chars) : strips_space_(chars == nullptr) {
    if (chars == nullptr) return;
    for (size_t pos = 0; pos < chars->size(); pos += char_size(chars->bytes(), pos)) {
      codes_.insert(char_at(chars->bytes(), pos));
    }
  }
  bool has(char32_t code) const { return strips_space_ ? is_space(code) : codes_.contains(code); }

 private:
  bool strips_space_;
  std::unordered_set<char32_t> codes_;
};

// Bytes [begin, end) of a text.
struct Kept {
  size_t begin, end;
};

Kept stripped(std::string_view bytes, const StripSet& set, Sides sides) {
  size_t begin = 0, end = bytes.size();
  if (sides != Sides::kRight) {
    while (begin < end && set.has(char_at(bytes, begin))) begin += char_size(bytes, begin);
  }
  if (sides != Sides::kLeft) {
    while (end > begin && set.has(char_at(bytes, previous_char(bytes, end)))) end = previous_char(bytes, end);
  }
  return {begin, end};
}

// Size of the line end at `pos`; 0 where there is none.
size_t line_end_size(std::string_view text, size_t pos) {
  const char32_t code = char_at(text, pos);
  if (code == '\r') return pos + 1 < text.size() && text[pos + 1] == '\n' ? 2 : 1;
  const bool is_end = (code >= 0x0A && code <= 0x0C) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
                      code == 0x2028 || code == 0x2029;
  return is_end ? char_size(text, pos) : 0;
}

// The character at `pos` after the change; `is_word_start` for kTitle, `pos` == 0 for kCapitalize.
std::string changed_char(std::string_view text, size_t pos, CaseChange change, bool is_word_start) {
  switch (change) {
    case CaseChange::kUpper:
      return upper_at(text, pos);
    case CaseChange::kLower:
      return lower_at(text, pos);
    case CaseChange::kCapitalize:
      return pos == 0 ? title_at(text, pos) : lower_at(text, pos);
    case CaseChange::kTitle:
      return is_word_start ? title_at(text, pos) : lower_at(text, pos);
    case CaseChange::kSwap:
      return is_upper(char_at(text, pos)) ? lower_at(text, pos) : upper_at(text, pos);
  }
  return {};
}

// Parts of a text as they are found, each checked against the bounds at once.
class PartList {
 public:
  PartList(Runtime& runtime, const TaggedText& text) : runtime_(runtime), text_(text) {}
  Status add(size_t begin, size_t end) {
    TRY(Value part, runtime_.make_text(text_.slice(begin, end)));
    parts_.push_back(std::move(part));
    return {};
  }
  Runtime& runtime() { return runtime_; }
  bool may_split(int64_t max_splits) const {
    return max_splits < 0 || static_cast<int64_t>(parts_.size()) < max_splits;
  }
  Result<Value> finish() { return runtime_.make_sequence(std::move(parts_)); }
  Result<Value> finish_reversed() {
    std::reverse(parts_.begin(), parts_.end());
    return finish();
  }

 private:
  Runtime& runtime_;
  const TaggedText& text_;
  std::vector<Value> parts_;
};

Result<Value> split_at_space(PartList parts, std::string_view bytes, int64_t max_splits) {
  for (size_t pos = 0;;) {
    while (pos < bytes.size() && is_space(char_at(bytes, pos))) pos += char_size(bytes, pos);
    if (pos == bytes.size()) return parts.finish();
    size_t end = pos;
    if (!parts.may_split(max_splits)) {
      TRY_STATUS(parts.add(pos, bytes.size()));
      return parts.finish();
    }
    while (end < bytes.size() && !is_space(char_at(bytes, end))) end += char_size(bytes, end);
    TRY_STATUS(parts.add(pos, end));
    pos = end;
  }
}

Result<Value> split_at_space_from_right(PartList parts, std::string_view bytes, int64_t max_splits) {
  for (size_t end = bytes.size();;) {
    while (end > 0 && is_space(char_at(bytes, previous_char(bytes, end)))) end = previous_char(bytes, end);
    if (end == 0) return parts.finish_reversed();
    if (!parts.may_split(max_splits)) {
      TRY_STATUS(parts.add(0, end));
      return parts.finish_reversed();
    }
    size_t begin = end;
    while (begin > 0 && !is_space(char_at(bytes, previous_char(bytes, begin))))
      begin = previous_char(bytes, begin);
    TRY_STATUS(parts.add(begin, end));
    end = begin;
  }
}

Result<Value> split_at(PartList parts, std::string_view bytes, std::string_view separator,
                       int64_t max_splits) {
  size_t begin = 0;
  while (parts.may_split(max_splits)) {
    TRY(const size_t end, find_first(parts.runtime(), bytes, separator, begin));
    if (end == std::string_view::npos) break;
    TRY_STATUS(parts.add(begin, end));
    begin = end + separator.size();
  }
  TRY_STATUS(parts.add(begin, bytes.size()));
  return parts.finish();
}

Result<Value> split_at_from_right(PartList parts, std::string_view bytes, std::string_view separator,
                                  int64_t max_splits) {
  // Occurrences from the right are those from the left in the reversed text.
  TRY_STATUS(parts.runtime().spend_bytes(bytes.size() + separator.size()));
  const std::string reversed(bytes.rbegin(), bytes.rend());
  const std::string reversed_separator(separator.rbegin(), separator.rend());
  size_t taken = 0;
  while (parts.may_split(max_splits)) {
    TRY(const size_t found, find_first(parts.runtime(), reversed, reversed_separator, taken));
    if (found == std::string::npos) break;
    TRY_STATUS(parts.add(bytes.size() - found, bytes.size() - taken));
    taken = found + separator.size();
  }
  TRY_STATUS(parts.add(0, bytes.size() - taken));
  return parts.finish_reversed();
}

// str.replace with nothing to look for: `with` goes in front of each character, and to the end.
void insert_between(TextBuilder& out, const TaggedText& text, const Replacement& replacement) {
  size_t pos = 0;
  for (int64_t count = 0; replacement.max_count < 0 || count < replacement.max_count; ++count) {
    out.append(replacement.with);
    if (pos == text.size() || out.is_full()) break;
    const size_t next = pos + char_size(text.bytes(), pos);
    out.append(text, pos, next);
    pos = next;
  }
  out.append(text, pos, text.size());
}

}  // namespace

Result<Value> strip(Runtime& runtime, const TaggedText& text, const TaggedText* chars, Sides sides) {
  if (chars != nullptr) TRY_STATUS(runtime.spend_characters(*chars));
  const Kept kept = stripped(text.bytes(), StripSet(chars), sides);
  TRY_STATUS(runtime.spend_bytes(8 * (text.size() - (kept.end - kept.begin))));
  return runtime.make_text(text.slice(kept.begin, kept.end));
}

std::string_view without_space(std::string_view text) {
  const Kept kept = stripped(text, StripSet(nullptr), Sides::kBoth);
  return text.substr(kept.begin, kept.end - kept.begin);
}

Result<Value> change_case(Runtime& runtime, const TaggedText& text, CaseChange change) {
  TRY_STATUS(runtime.spend_characters(text));
  TextBuilder out(runtime);
  bool is_word_start = true;
  for (size_t pos = 0; pos < text.size() && !out.is_full(); pos += char_size(text.bytes(), pos)) {
    out.append(changed_char(text.bytes(), pos, change, is_word_start), text.origin_at(pos));
    is_word_start = !is_cased(char_at(text.bytes(), pos));
  }
  return out.finish();
}

Result<Value> fold_case(Runtime& runtime, const Value& value, bool is_case_sensitive) {
  const TaggedText* text = value.as_text();
  if (text == nullptr || is_case_sensitive) return value;
  return change_case(runtime, *text, CaseChange::kLower);
}

Result<Value> replace(Runtime& runtime, const TaggedText& text, const Replacement& replacement) {
  TextBuilder out(runtime);
  if (replacement.old.empty()) {
    TRY_STATUS(runtime.spend_characters(text));
    return insert_between(out, text, replacement), out.finish();
  }
  const std::string_view old = replacement.old.bytes();
  size_t pos = 0;
  for (int64_t count = 0; replacement.max_count < 0 || count < replacement.max_count; ++count) {
    TRY_STATUS(runtime.spend());
    TRY(const size_t found, find_first(runtime, text.bytes(), old, pos));
    if (found == std::string_view::npos || out.is_full()) break;
    out.append(text, pos, found);
    out.append(replacement.with);
    pos = found + old.size();
  }
  out.append(text, pos, text.size());
  return out.finish();
}

Result<Value> split(Runtime& runtime, const TaggedText& text, const Split& how) {
  PartList parts(runtime, text);
  const std::string_view bytes = text.bytes();
  if (how.separator == nullptr) {
    TRY_STATUS(runtime.spend_characters(text));
    return how.from_right ? split_at_space_from_right(std::move(parts), bytes, how.max_splits)
                          : split_at_space(std::move(parts), bytes, how.max_splits);
  }
  if (how.separator->empty()) return runtime.fail("a text cannot be split at nothing");
  return how.from_right ? split_at_from_right(std::move(parts), bytes, how.separator->bytes(), how.max_splits)
                        : split_at(std::move(parts), bytes, how.separator->bytes(), how.max_splits);
}

Line line_at(std::string_view text, size_t begin) {
  for (size_t pos = begin; pos < text.size(); pos += char_size(text, pos)) {
    if (const size_t size = line_end_size(text, pos); size != 0) return {begin, pos, pos + size};
  }
  return {begin, text.size(), text.size()};
}

Result<Value> split_lines(Runtime& runtime, const TaggedText& text, bool keeps_ends) {
  TRY_STATUS(runtime.spend_characters(text));
  PartList parts(runtime, text);
  for (size_t pos = 0; pos < text.size();) {
    const Line line = line_at(text.bytes(), pos);
    TRY_STATUS(parts.add(line.begin, keeps_ends ? line.next : line.end));
    pos = line.next;
  }
  return parts.finish();
}

Result<Value> join(Runtime& runtime, const TaggedText& separator, const Value& items,
                   bool items_must_be_text) {
  TRY(std::shared_ptr<Iterator> iterator, iterate(runtime, items));
  TextBuilder out(runtime);
  for (bool is_first = true; !out.is_full(); is_first = false) {
    TRY(std::optional<Value> item, iterator->next(runtime));
    if (!item) break;
    if (items_must_be_text && item->as_text() == nullptr) {
      return runtime.fail("only texts are joined, not a '" + std::string(item->type_name()) + "'");
    }
    if (!is_first) out.append(separator);
    TRY_STATUS(append_str(runtime, out, *item));
  }
  return out.finish();
}

}  // namespace llama_gpu::text::jinja
