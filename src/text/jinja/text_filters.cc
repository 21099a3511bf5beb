// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>

#include "text/jinja/arithmetic.h"
#include "text/jinja/filter_tables.h"
#include "text/jinja/formatting.h"
#include "text/jinja/iteration.h"
#include "text/jinja/json.h"
#include "text/jinja/markup.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_operations.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

// What was made from markup is markup.
Result<Value> keep_markup(Runtime& runtime, const Value& from, const Value& text) {
  return from.is_markup() ? mark_as_markup(runtime, text) : text;
}

Result<int64_t> int_or_none(Runtime& runtime, const BoundArguments& arguments, size_t i, int64_t otherwise) {
  return arguments.is_given(i) ? int_argument(runtime, arguments, i, otherwise) : otherwise;
}

// Filters for text take any value, as its str().
template <CaseChange kChange>
Result<Value> case_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(Value text, to_str(runtime, arguments.at(0)));
  TRY(Value changed, change_case(runtime, *text.as_text(), kChange));
  return keep_markup(runtime, text, changed);
}

bool starts_title_word(char32_t before) {
  return is_space(before) || before == '-' || before == '(' || before == '{' || before == '[' ||
         before == '<';
}

// Jinja's title: unlike Python's it sees a word start behind spaces and opening brackets only.
Result<Value> title_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(Value value, to_str(runtime, arguments.at(0)));
  const TaggedText& text = *value.as_text();
  TRY_STATUS(runtime.spend_characters(text));
  TextBuilder out(runtime);
  bool is_start = true;
  size_t word = 0;
  for (size_t pos = 0; pos < text.size() && !out.is_full();) {
    const size_t next = pos + char_size(text.bytes(), pos);
    if (is_start) word = next;
    const std::string_view rest = text.bytes().substr(word);
    out.append(is_start ? upper_at(text.bytes(), pos) : lower_at(rest, pos - word), text.origin_at(pos));
    is_start = starts_title_word(char_at(text.bytes(), pos));
    pos = next;
  }
  return out.finish();
}

Result<Value> trim_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(Value text, to_str(runtime, arguments.at(0)));
  const TaggedText* chars = nullptr;
  if (arguments.is_given(1)) {
    TRY(chars, text_argument(runtime, arguments, 1));
  }
  TRY(Value stripped, strip(runtime, *text.as_text(), chars, Sides::kBoth));
  return keep_markup(runtime, text, stripped);
}

Result<Value> safe_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const Value text, to_str(runtime, arguments.at(0)));
  return mark_as_markup(runtime, text);
}

Result<Value> escape_filter(Runtime& runtime, const BoundArguments& arguments) {
  return to_markup(runtime, arguments.at(0));
}

Result<Value> forceescape_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const Value text, to_str(runtime, arguments.at(0)));
  TRY(TaggedText escaped, escape_html(runtime, *text.as_text()));
  return runtime.make_markup(std::move(escaped));
}

Result<Value> string_filter(Runtime& runtime, const BoundArguments& arguments) {
  return to_str(runtime, arguments.at(0));
}

Result<Value> replace_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(Value text, to_str(runtime, arguments.at(0)));
  TRY(Value old, to_str(runtime, arguments.at(1)));
  TRY(Value with, to_str(runtime, arguments.at(2)));
  TRY(const int64_t max_count, int_or_none(runtime, arguments, 3, -1));
  return replace(runtime, *text.as_text(), {*old.as_text(), *with.as_text(), max_count});
}

Result<Value> format_filter(Runtime& runtime, const BoundArguments& arguments) {
  const CallArguments& values = arguments.rest_arguments();
  TRY(Value format, to_str(runtime, arguments.at(0)));
  if (values.named.empty()) {
    TRY(Value tuple, runtime.make_sequence(values.positional, Sequence::Kind::kTuple));
    return percent_format(runtime, format, tuple);
  }
  if (!values.positional.empty()) return runtime.fail("'format' takes values by place or by name, not both");
  Dict dict;
  for (const auto& [name, value] : values.named) {
    TRY([[maybe_unused]] const bool is_key, dict.insert(runtime, name, value));
  }
  TRY(Value names, runtime.make_dict(std::move(dict)));
  return percent_format(runtime, format, names);
}

// Text given as it is, or that many blanks.
Result<TaggedText> indentation(Runtime& runtime, const BoundArguments& arguments, size_t i,
                               int64_t otherwise) {
  if (arguments.has(i)) {
    if (const TaggedText* text = arguments.at(i).as_text()) {
      TRY_STATUS(runtime.spend_pass(*text));
      return *text;
    }
  }
  TRY(const int64_t width, int_argument(runtime, arguments, i, otherwise));
  TextBuilder out(runtime);
  out.repeat(TaggedText(" ", Origin::kTemplate), width);
  return out.take();
}

Result<Value> indent_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const TaggedText* text, text_argument(runtime, arguments, 0));
  TRY(const TaggedText indent, indentation(runtime, arguments, 1, 4));
  TRY_STATUS(runtime.spend_characters(*text));
  const bool indents_first = bool_argument(arguments, 2), indents_blank = bool_argument(arguments, 3);
  TaggedText closed = *text;  // a text that ends in a line end has an empty last line
  closed.append("\n", Origin::kTemplate);
  TextBuilder out(runtime);
  for (size_t pos = 0; pos < closed.size() && !out.is_full();) {
    const Line line = line_at(closed.bytes(), pos);
    if (pos != 0) out.append("\n", Origin::kTemplate);
    if (pos == 0 ? indents_first : indents_blank || line.end != line.begin) out.append(indent);
    out.append(closed, line.begin, line.end);
    pos = line.next;
  }
  TRY(Value indented, out.finish());
  return keep_markup(runtime, arguments.at(0), indented);
}

Result<Value> tojson_filter(Runtime& runtime, const BoundArguments& arguments) {
  JsonStyle style;
  style.ensure_ascii = bool_argument(arguments, 1);
  if (arguments.is_given(2)) {
    TRY(style.indent, indentation(runtime, arguments, 2, 0));
    style.item_separator = TaggedText(",", Origin::kTemplate);
  }
  if (arguments.is_given(3)) {
    const Sequence* pair = arguments.at(3).as_sequence();
    const bool is_pair = pair != nullptr && pair->items.size() == 2 && pair->items[0].as_text() != nullptr &&
                         pair->items[1].as_text() != nullptr;
    if (!is_pair) return runtime.fail("'tojson' takes two texts as separators");
    style.item_separator = *pair->items[0].as_text();
    style.key_separator = *pair->items[1].as_text();
  }
  style.sort_keys = bool_argument(arguments, 4);
  return to_json(runtime, arguments.at(0), style);
}

Result<Value> center_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(Value text, to_str(runtime, arguments.at(0)));
  TRY(const int64_t width, int_argument(runtime, arguments, 1, 80));
  TRY_STATUS(runtime.spend_pass(*text.as_text()));
  const int64_t missing =
      std::max<int64_t>(width - static_cast<int64_t>(count_chars(text.as_text()->bytes())), 0);
  const int64_t left = missing / 2 + (missing & width & 1);
  const TaggedText blank(" ", Origin::kTemplate);
  TextBuilder out(runtime);
  out.repeat(blank, left);
  out.append(*text.as_text());
  out.repeat(blank, missing - left);
  TRY(Value centered, out.finish());
  return keep_markup(runtime, text, centered);
}

Result<Value> truncate_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const std::optional<int64_t> size, length_of(runtime, arguments.at(0)));
  TRY(const int64_t length, int_argument(runtime, arguments, 1, 255));
  const Value end = arguments.has(3) ? arguments.at(3) : Value::text("...");
  TRY(const int64_t leeway, int_or_none(runtime, arguments, 4, 5));
  TRY(const std::optional<int64_t> end_size, length_of(runtime, end));
  const int64_t end_length = end_size.value_or(0);
  if (length < end_length || leeway < 0)
    return runtime.fail("'truncate' is given a length that is too small");
  if (size && (*size <= length || *size - length <= leeway)) return arguments.at(0);
  TRY(const TaggedText* text, text_argument(runtime, arguments, 0));
  TRY_STATUS(runtime.spend_characters(*text));
  size_t stop = char_offset(text->bytes(), static_cast<size_t>(length - end_length));
  if (!bool_argument(arguments, 2)) stop = std::min(text->bytes().substr(0, stop).rfind(' '), stop);
  TRY(Value start, runtime.make_text(text->slice(0, stop)));
  TRY(start, keep_markup(runtime, arguments.at(0), start));
  return compute(runtime, BinaryOperator::kAdd, start, end);
}

bool is_word_char(char32_t code) { return is_identifier_part(code); }

Result<Value> wordcount_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(Value text, to_str(runtime, arguments.at(0)));
  const std::string_view bytes = text.as_text()->bytes();
  TRY_STATUS(runtime.spend_characters(*text.as_text()));
  int64_t count = 0;
  bool in_word = false;
  for (size_t pos = 0; pos < bytes.size(); pos += char_size(bytes, pos)) {
    const bool is_word = is_word_char(char_at(bytes, pos));
    count += is_word && !in_word ? 1 : 0;
    in_word = is_word;
  }
  return Value(count);
}

constexpr std::array kTextFilters = {
    Builtin{"capitalize", "value", case_filter<CaseChange::kCapitalize>},
    Builtin{"center", "value width?", center_filter},
    Builtin{"e", "value", escape_filter},
    Builtin{"escape", "value", escape_filter},
    Builtin{"forceescape", "value", forceescape_filter},
    Builtin{"format", "value **", format_filter},
    Builtin{"indent", "s width? first? blank?", indent_filter},
    Builtin{"lower", "s", case_filter<CaseChange::kLower>},
    Builtin{"replace", "s old new count?", replace_filter},
    Builtin{"safe", "value", safe_filter},
    Builtin{"string", "value", string_filter},
    Builtin{"title", "s", title_filter},
    Builtin{"tojson", "x ensure_ascii? indent? separators? sort_keys?", tojson_filter},
    Builtin{"trim", "value chars?", trim_filter},
    Builtin{"truncate", "s length? killwords? end? leeway?", truncate_filter},
    Builtin{"upper", "s", case_filter<CaseChange::kUpper>},
    Builtin{"wordcount", "s", wordcount_filter},
};

}  // namespace

std::span<const Builtin> text_filters() { return kTextFilters; }

}  // namespace llama_gpu::text::jinja
