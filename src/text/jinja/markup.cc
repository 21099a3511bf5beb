// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/markup.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/iteration.h"
#include "text/jinja/printing.h"

namespace llama_gpu::text::jinja {
namespace {

// Whose arguments are escaped and whose results are markup.
constexpr std::array<std::string_view, 17> kEscaping = {
    "capitalize", "center",     "format", "join",  "ljust",    "lower", "lstrip", "partition", "replace",
    "rjust",      "rpartition", "rstrip", "strip", "swapcase", "title", "upper",  "zfill"};
// Whose results only are markup.
constexpr std::array<std::string_view, 3> kSplitting = {"rsplit", "split", "splitlines"};

template <size_t kSize>
bool is_listed(const std::array<std::string_view, kSize>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Escapes the texts among the arguments, and what a text is partitioned at whatever it is.
Status escape_arguments(Runtime& runtime, const Builtin& method, std::vector<Value>& arguments) {
  const bool takes_any = method.name.ends_with("partition");
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i].as_text() == nullptr && !takes_any) continue;
    TRY(arguments[i], to_markup(runtime, arguments[i]));
  }
  return {};
}

// What join() joins: every item's str(), escaped.
Status escape_items(Runtime& runtime, Value& items) {
  TRY(std::vector<Value> collected, collect(runtime, items));
  for (Value& item : collected) {
    TRY(item, to_markup(runtime, item));
  }
  TRY(items, runtime.make_sequence(std::move(collected)));
  return {};
}

// Marks a text, or each text of a list.
Result<Value> mark_result(Runtime& runtime, Value result) {
  if (result.as_text() != nullptr) return mark_as_markup(runtime, result);
  const Sequence* sequence = result.as_sequence();
  if (sequence == nullptr) return result;
  TRY_STATUS(runtime.spend(std::ssize(sequence->items)));
  std::vector<Value> items = sequence->items;
  for (Value& item : items) {
    TRY(item, mark_as_markup(runtime, item));
  }
  return runtime.make_sequence(std::move(items), sequence->kind);
}

}  // namespace

Result<TaggedText> escape_html(Runtime& runtime, const TaggedText& text) {
  constexpr std::string_view kSpecial = "&<>'\"";
  constexpr std::array<std::string_view, 5> kEntities = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
  TRY_STATUS(runtime.spend_characters(text));
  TextBuilder out(runtime);
  size_t plain = 0;
  for (size_t pos = 0; pos < text.size() && !out.is_full(); ++pos) {
    const size_t which = kSpecial.find(text.bytes()[pos]);
    if (which == kSpecial.npos) continue;
    out.append(text, plain, pos);
    out.append(kEntities[which], text.origin_at(pos));
    plain = pos + 1;
  }
  out.append(text, plain, text.size());
  return out.take();
}

Result<Value> to_markup(Runtime& runtime, const Value& value) {
  if (value.is_markup()) return value;
  TRY(const Value text, to_str(runtime, value));
  TRY(TaggedText escaped, escape_html(runtime, *text.as_text()));
  return runtime.make_markup(std::move(escaped));
}

Result<Value> mark_as_markup(Runtime& runtime, const Value& text) {
  return text.is_markup() ? text : runtime.make_markup(*text.as_text());
}

Result<Value> call_markup_method(Runtime& runtime, const Builtin& method, CallArguments arguments) {
  const bool escapes = is_listed(kEscaping, method.name);
  if (method.name == "join" && arguments.positional.size() == 2) {
    TRY_STATUS(escape_items(runtime, arguments.positional[1]));
  } else if (escapes && method.name != "format") {
    TRY_STATUS(escape_arguments(runtime, method, arguments.positional));
  }
  TRY(Value result, call_builtin(runtime, method, std::move(arguments)));
  if (!escapes && !is_listed(kSplitting, method.name)) return result;
  return mark_result(runtime, std::move(result));
}

}  // namespace llama_gpu::text::jinja
