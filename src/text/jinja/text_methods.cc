// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "text/jinja/comparison.h"
#include "text/jinja/formatting.h"
#include "text/jinja/methods.h"
#include "text/jinja/text_operations.h"
#include "text/jinja/text_search.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

const TaggedText& self(const BoundArguments& arguments) { return *arguments.at(0).as_text(); }

// Argument `i` as text; null where it was left out or is none.
Result<const TaggedText*> optional_text(Runtime& runtime, const BoundArguments& arguments, size_t i) {
  if (!arguments.is_given(i)) return static_cast<const TaggedText*>(nullptr);
  return text_argument(runtime, arguments, i);
}

template <Sides kSides>
Result<Value> strip_method(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const TaggedText* chars, optional_text(runtime, arguments, 1));
  return strip(runtime, self(arguments), chars, kSides);
}

template <CaseChange kChange>
Result<Value> case_method(Runtime& runtime, const BoundArguments& arguments) {
  return change_case(runtime, self(arguments), kChange);
}

template <bool kFromRight>
Result<Value> split_method(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const TaggedText* separator, optional_text(runtime, arguments, 1));
  TRY(const int64_t max_splits, int_argument(runtime, arguments, 2, -1));
  return split(runtime, self(arguments), {separator, max_splits, kFromRight});
}

Result<Value> split_lines_method(Runtime& runtime, const BoundArguments& arguments) {
  return split_lines(runtime, self(arguments), bool_argument(arguments, 1));
}

Result<Value> replace_method(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const TaggedText* old, text_argument(runtime, arguments, 1));
  TRY(const TaggedText* with, text_argument(runtime, arguments, 2));
  TRY(const int64_t max_count, int_argument(runtime, arguments, 3, -1));
  return replace(runtime, self(arguments), {*old, *with, max_count});
}

Result<Value> join_method(Runtime& runtime, const BoundArguments& arguments) {
  return join(runtime, self(arguments), arguments.at(1), /*items_must_be_text=*/true);
}

// The part of a text between two positions, as str.find and its like take them: characters [start, end).
struct Window {
  size_t begin, end;
  bool is_empty;  // start behind the end: nothing is found in it, not even nothing
};

Result<Window> window(Runtime& runtime, const BoundArguments& arguments) {
  const std::string_view bytes = self(arguments).bytes();
  TRY_STATUS(runtime.spend_bytes(bytes.size()));
  const auto count = static_cast<int64_t>(count_chars(bytes));
  Value bounds[2] = {arguments.get(2), arguments.get(3)};
  int64_t places[2] = {0, count};
  for (int i = 0; i < 2; ++i) {
    if (bounds[i].is_none() || bounds[i].is_undefined()) continue;
    const auto bound = bounds[i].as_int();
    if (!bound) return runtime.fail("a position in a text must be an integer");
    places[i] = *bound < 0 ? std::max<int64_t>(*bound + count, 0) : *bound;
  }
  places[1] = std::min(places[1], count);
  if (places[0] == 0 && places[1] == count) return Window{0, bytes.size(), false};
  TRY_STATUS(runtime.spend_characters(self(arguments)));
  if (places[0] > places[1]) return Window{0, 0, true};
  return Window{char_offset(bytes, static_cast<size_t>(places[0])),
                char_offset(bytes, static_cast<size_t>(places[1])), false};
}

// Character index of the first or last occurrence; -1 where there is none.
Result<int64_t> find_in(Runtime& runtime, const BoundArguments& arguments, bool from_right) {
  TRY(const TaggedText* part, text_argument(runtime, arguments, 1));
  TRY(const Window area, window(runtime, arguments));
  if (area.is_empty) return int64_t{-1};
  const std::string_view bytes = self(arguments).bytes().substr(0, area.end);
  const std::string_view inside = bytes.substr(area.begin);
  TRY(const size_t found,
      from_right ? find_last(runtime, inside, part->bytes()) : find_first(runtime, inside, part->bytes()));
  if (found == std::string_view::npos) return int64_t{-1};
  TRY_STATUS(runtime.spend_bytes(area.begin + found));
  return static_cast<int64_t>(count_chars(bytes.substr(0, area.begin + found)));
}

template <bool kFromRight>
Result<Value> find_method(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const int64_t place, find_in(runtime, arguments, kFromRight));
  return Value(place);
}

template <bool kFromRight>
Result<Value> index_method(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const int64_t place, find_in(runtime, arguments, kFromRight));
  if (place >= 0) return Value(place);
  return runtime.fail("the text that is looked for is not there");
}

Result<Value> count_text_method(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const TaggedText* part, text_argument(runtime, arguments, 1));
  TRY(const Window area, window(runtime, arguments));
  if (area.is_empty) return Value(int64_t{0});
  const std::string_view inside = self(arguments).bytes().substr(area.begin, area.end - area.begin);
  if (part->empty()) {
    TRY_STATUS(runtime.spend_bytes(inside.size()));
    return Value(static_cast<int64_t>(count_chars(inside)) + 1);
  }
  TRY(const int64_t count, count_occurrences(runtime, inside, part->bytes()));
  return Value(count);
}

// Whether the text ends, or starts, with the part.
template <bool kAtEnd>
Result<bool> has_at_end(Runtime& runtime, std::string_view text, std::string_view part) {
  if (part.size() > text.size()) return false;
  return equal_bytes(runtime, text.substr(kAtEnd ? text.size() - part.size() : 0, part.size()), part);
}

template <bool kAtEnd>
Result<Value> has_end(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const Window area, window(runtime, arguments));
  const std::string_view inside = self(arguments).bytes().substr(area.begin, area.end - area.begin);
  const Sequence* tuple = arguments.at(1).as_sequence();
  const bool has_many = tuple != nullptr && tuple->kind == Sequence::Kind::kTuple;
  for (const Value& end : has_many ? std::span(tuple->items) : std::span(&arguments.at(1), 1)) {
    TRY_STATUS(runtime.spend());
    const TaggedText* text = end.as_text();
    if (text == nullptr)
      return runtime.fail("a text starts or ends with a text only, not with a '" +
                          std::string(end.type_name()) + "'");
    if (area.is_empty) continue;
    TRY(const bool has_it, has_at_end<kAtEnd>(runtime, inside, text->bytes()));
    if (has_it) return Value(true);
  }
  return Value(false);
}

template <bool kAtEnd>
Result<Value> remove_end(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const TaggedText* end, text_argument(runtime, arguments, 1));
  const TaggedText& text = self(arguments);
  TRY(const bool has_it, has_at_end<kAtEnd>(runtime, text.bytes(), end->bytes()));
  if (!has_it) return runtime.make_text(text);  // not the value itself, which may be markup
  return runtime.make_text(kAtEnd ? text.slice(0, text.size() - end->size())
                                  : text.slice(end->size(), text.size()));
}

template <bool kFromRight>
Result<Value> partition_method(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const TaggedText* separator, text_argument(runtime, arguments, 1));
  if (separator->empty()) return runtime.fail("a text cannot be split at nothing");
  const TaggedText& text = self(arguments);
  TRY(const size_t found, kFromRight ? find_last(runtime, text.bytes(), separator->bytes())
                                     : find_first(runtime, text.bytes(), separator->bytes()));
  const bool is_there = found != std::string_view::npos;
  const size_t whole = kFromRight ? 0 : text.size();
  const size_t begin = is_there ? found : whole, end = is_there ? found + separator->size() : whole;
  TRY(Value before, runtime.make_text(text.slice(0, begin)));
  TRY(Value between, runtime.make_text(is_there ? *separator : TaggedText()));
  TRY(Value behind, runtime.make_text(text.slice(end, text.size())));
  return runtime.make_sequence({std::move(before), std::move(between), std::move(behind)},
                               Sequence::Kind::kTuple);
}

// Whether there are characters and each is of the kind.
template <bool (*kIsOfKind)(char32_t)>
Result<Value> all_are(Runtime& runtime, const BoundArguments& arguments) {
  const std::string_view bytes = self(arguments).bytes();
  TRY_STATUS(runtime.spend_characters(self(arguments)));
  for (size_t pos = 0; pos < bytes.size(); pos += char_size(bytes, pos)) {
    if (!kIsOfKind(char_at(bytes, pos))) return Value(false);
  }
  return Value(!bytes.empty());
}

bool is_alnum(char32_t code) { return is_alpha(code) || is_digit(code); }

enum class Padding : uint8_t { kLeft, kRight, kBoth };

template <Padding kPadding>
Result<Value> pad_method(Runtime& runtime, const BoundArguments& arguments) {
  const TaggedText& text = self(arguments);
  TRY(const int64_t width, int_argument(runtime, arguments, 1, 0));
  TaggedText fill(" ", Origin::kTemplate);
  if (arguments.has(2)) {
    TRY(const TaggedText* given, text_argument(runtime, arguments, 2));
    TRY_STATUS(runtime.spend_bytes(given->size()));
    if (count_chars(given->bytes()) != 1) return runtime.fail("a text is filled up with one character");
    fill = *given;
  }
  TRY_STATUS(runtime.spend_pass(text));
  const int64_t missing = std::max<int64_t>(width - static_cast<int64_t>(count_chars(text.bytes())), 0);
  // Python puts the odd one of an odd number to the left when the width is odd, too.
  const int64_t half = missing / 2 + (missing & width & 1);
  const int64_t left = kPadding == Padding::kLeft ? missing : kPadding == Padding::kRight ? 0 : half;
  TextBuilder out(runtime);
  out.repeat(fill, left);
  out.append(text);
  out.repeat(fill, missing - left);
  return out.finish();
}

Result<Value> zfill_method(Runtime& runtime, const BoundArguments& arguments) {
  const TaggedText& text = self(arguments);
  TRY(const int64_t width, int_argument(runtime, arguments, 1, 0));
  TRY_STATUS(runtime.spend_pass(text));
  const size_t sign = text.bytes().starts_with('-') || text.bytes().starts_with('+') ? 1 : 0;
  TextBuilder out(runtime);
  out.append(text, 0, sign);
  out.repeat(TaggedText("0", Origin::kTemplate), width - static_cast<int64_t>(count_chars(text.bytes())));
  out.append(text, sign, text.size());
  return out.finish();
}

Result<Value> format_method(Runtime& runtime, const BoundArguments& arguments) {
  return brace_format(runtime, arguments.at(0), arguments.rest_arguments());
}

// Whether there are letters with a case and all have this one.
template <bool (*kIsOfCase)(char32_t), bool (*kIsOfOther)(char32_t)>
Result<Value> cased_are(Runtime& runtime, const BoundArguments& arguments) {
  const std::string_view bytes = self(arguments).bytes();
  TRY_STATUS(runtime.spend_characters(self(arguments)));
  bool has_cased = false;
  for (size_t pos = 0; pos < bytes.size(); pos += char_size(bytes, pos)) {
    const char32_t code = char_at(bytes, pos);
    if (kIsOfOther(code)) return Value(false);
    has_cased = has_cased || kIsOfCase(code);
  }
  return Value(has_cased);
}

constexpr std::array kTextMethods = {
    Builtin{"capitalize", "self", case_method<CaseChange::kCapitalize>},
    Builtin{"center", "self width fillchar?", pad_method<Padding::kBoth>},
    Builtin{"count", "self sub start? end?", count_text_method},
    Builtin{"endswith", "self suffix start? end?", has_end<true>},
    Builtin{"find", "self sub start? end?", find_method<false>},
    Builtin{"format", "self **", format_method},
    Builtin{"index", "self sub start? end?", index_method<false>},
    Builtin{"isalnum", "self", all_are<is_alnum>},
    Builtin{"isalpha", "self", all_are<is_alpha>},
    Builtin{"isdigit", "self", all_are<is_digit>},
    Builtin{"islower", "self", cased_are<is_lower, is_upper>},
    Builtin{"isspace", "self", all_are<is_space>},
    Builtin{"isupper", "self", cased_are<is_upper, is_lower>},
    Builtin{"join", "self iterable", join_method},
    Builtin{"ljust", "self width fillchar?", pad_method<Padding::kRight>},
    Builtin{"lower", "self", case_method<CaseChange::kLower>},
    Builtin{"lstrip", "self chars?", strip_method<Sides::kLeft>},
    Builtin{"partition", "self sep", partition_method<false>},
    Builtin{"removeprefix", "self prefix", remove_end<false>},
    Builtin{"removesuffix", "self suffix", remove_end<true>},
    Builtin{"replace", "self old new count?", replace_method},
    Builtin{"rfind", "self sub start? end?", find_method<true>},
    Builtin{"rindex", "self sub start? end?", index_method<true>},
    Builtin{"rjust", "self width fillchar?", pad_method<Padding::kLeft>},
    Builtin{"rpartition", "self sep", partition_method<true>},
    Builtin{"rsplit", "self sep? maxsplit?", split_method<true>},
    Builtin{"rstrip", "self chars?", strip_method<Sides::kRight>},
    Builtin{"split", "self sep? maxsplit?", split_method<false>},
    Builtin{"splitlines", "self keepends?", split_lines_method},
    Builtin{"startswith", "self prefix start? end?", has_end<false>},
    Builtin{"strip", "self chars?", strip_method<Sides::kBoth>},
    Builtin{"swapcase", "self", case_method<CaseChange::kSwap>},
    Builtin{"title", "self", case_method<CaseChange::kTitle>},
    Builtin{"upper", "self", case_method<CaseChange::kUpper>},
    Builtin{"zfill", "self width", zfill_method},
};

}  // namespace

std::span<const Builtin> text_methods() { return kTextMethods; }

}  // namespace llama_gpu::text::jinja
