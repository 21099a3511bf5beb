// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "text/jinja/arithmetic.h"
#include "text/jinja/attributes.h"
#include "text/jinja/comparison.h"
#include "text/jinja/filter_tables.h"
#include "text/jinja/iteration.h"
#include "text/jinja/markup.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_operations.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

Result<Value> length_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(const std::optional<int64_t> length, length_of(runtime, arguments.at(0)));
  if (!length)
    return runtime.fail("a value of type '" + std::string(arguments.at(0).type_name()) + "' has no length");
  return Value(*length);
}

Result<Value> default_filter(Runtime&, const BoundArguments& arguments) {
  const Value& value = arguments.at(0);
  if (!value.is_undefined() && (!bool_argument(arguments, 2) || value.is_true())) return value;
  return arguments.has(1) ? arguments.at(1) : Value::text("");
}

Result<Value> first_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(std::shared_ptr<Iterator> items, iterate(runtime, arguments.at(0)));
  TRY(std::optional<Value> item, items->next(runtime));
  return item ? Result<Value>(std::move(*item))
              : runtime.make_undefined("no first item, the sequence was empty");
}

// Python's reversed() works on what it can index, not on iterators.
Status check_reversible(Runtime& runtime, const Value& value) {
  if (is_iterable(value) && value.as_iterator() == nullptr) return {};
  return runtime.fail("a value of type '" + std::string(value.type_name()) +
                      "' cannot be gone through backwards");
}

Result<Value> last_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY_STATUS(check_reversible(runtime, arguments.at(0)));
  if (const TaggedText* text = arguments.at(0).as_text(); text != nullptr && !text->empty()) {
    TRY(const Value character,
        runtime.make_text(text->slice(previous_char(text->bytes(), text->size()), text->size())));
    return arguments.at(0).is_markup() ? mark_as_markup(runtime, character) : character;
  }
  TRY(std::vector<Value> items, collect(runtime, arguments.at(0)));
  return items.empty() ? runtime.make_undefined("no last item, the sequence was empty")
                       : Result<Value>(items.back());
}

Result<Value> list_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(std::vector<Value> items, collect(runtime, arguments.at(0)));
  return runtime.make_sequence(std::move(items));
}

// The items as something that gives each of them once.
Result<Value> once(Runtime& runtime, std::vector<Value> items) {
  TRY(Value list, runtime.make_sequence(std::move(items)));
  TRY(std::shared_ptr<Iterator> iterator, iterate(runtime, list));
  return runtime.make_iterator(std::move(iterator));
}

Result<Value> reverse_filter(Runtime& runtime, const BoundArguments& arguments) {
  if (arguments.at(0).as_text() != nullptr) return get_slice(runtime, arguments.at(0), {{}, {}, -1});
  TRY(std::vector<Value> items, collect(runtime, arguments.at(0)));
  std::reverse(items.begin(), items.end());
  if (arguments.at(0).as_iterator() != nullptr) return runtime.make_sequence(std::move(items));
  return once(runtime, std::move(items));
}

Result<Value> join_filter(Runtime& runtime, const BoundArguments& arguments) {
  Value separator = arguments.has(1) ? arguments.at(1) : Value::text("");
  TRY(separator, to_str(runtime, separator));
  Value items = arguments.at(0);
  if (arguments.is_given(2)) {
    TRY(std::vector<Value> objects, collect(runtime, items));
    for (Value& object : objects) {
      TRY(object, get_path(runtime, object, arguments.at(2)));
    }
    TRY(items, runtime.make_sequence(std::move(objects)));
  }
  return join(runtime, *separator.as_text(), items, /*items_must_be_text=*/false);
}

// What `sort` compares of an item: the values at the comma-separated paths of `attribute`.
Result<Value> sort_key(Runtime& runtime, const Value& item, const Value& attribute, bool is_case_sensitive) {
  std::vector<Value> paths = {attribute.is_undefined() ? Value(None{}) : attribute};
  if (const TaggedText* names = attribute.as_text()) {
    const TaggedText comma(",", Origin::kTemplate);
    TRY(Value parts, split(runtime, *names, {&comma}));
    paths = parts.as_sequence()->items;
  }
  std::vector<Value> keys;
  for (const Value& path : paths) {
    TRY(Value key, get_path(runtime, item, path));
    TRY(key, fold_case(runtime, key, is_case_sensitive));
    keys.push_back(std::move(key));
  }
  return runtime.make_sequence(std::move(keys));
}

Result<std::vector<Value>> sorted(Runtime& runtime, const std::vector<Value>& items,
                                  const std::vector<Value>& keys, bool reverse) {
  TRY(std::vector<size_t> order, sorted_order(runtime, keys, reverse));
  std::vector<Value> out;
  out.reserve(items.size());
  for (const size_t place : order) out.push_back(items[place]);
  return out;
}

Result<Value> sort_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(std::vector<Value> items, collect(runtime, arguments.at(0)));
  std::vector<Value> keys;
  for (const Value& item : items) {
    TRY(Value key, sort_key(runtime, item, arguments.get(3), bool_argument(arguments, 2)));
    keys.push_back(std::move(key));
  }
  TRY(const int64_t reverse, int_argument(runtime, arguments, 1, 0));
  TRY(items, sorted(runtime, items, keys, reverse != 0));
  return runtime.make_sequence(std::move(items));
}

Result<Value> dictsort_filter(Runtime& runtime, const BoundArguments& arguments) {
  const Dict* dict = arguments.at(0).as_dict();
  if (dict == nullptr)
    return runtime.fail("'dictsort' sorts a dict, not a '" + std::string(arguments.at(0).type_name()) + "'");
  bool by_value = false;
  if (arguments.has(2)) {
    TRY(const TaggedText* by, text_argument(runtime, arguments, 2));
    by_value = by->bytes() == "value";
    if (!by_value && by->bytes() != "key") return runtime.fail("'dictsort' sorts by \"key\" or \"value\"");
  }
  std::vector<Value> keys;
  for (const auto& entry : dict->entries()) {
    TRY(Value key, fold_case(runtime, by_value ? entry.value : entry.key, bool_argument(arguments, 1)));
    keys.push_back(std::move(key));
  }
  TRY(std::vector<Value> items, dict_items(runtime, *dict));
  TRY(const int64_t reverse, int_argument(runtime, arguments, 3, 0));
  TRY(items, sorted(runtime, items, keys, reverse != 0));
  return runtime.make_sequence(std::move(items));
}

template <bool kWantsMax>
Result<Value> extreme_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(std::vector<Value> items, collect(runtime, arguments.at(0)));
  if (items.empty()) return Value::undefined("no smallest or largest item, the sequence was empty");
  size_t best = 0;
  std::vector<Value> keys;
  for (size_t i = 0; i < items.size(); ++i) {
    TRY(Value key, get_path(runtime, items[i], arguments.has(2) ? arguments.at(2) : Value(None{})));
    TRY(key, fold_case(runtime, key, bool_argument(arguments, 1)));
    keys.push_back(std::move(key));
    if (i == 0) continue;
    TRY(const bool is_better,
        kWantsMax ? less(runtime, keys[best], keys[i]) : less(runtime, keys[i], keys[best]));
    if (is_better) best = i;
  }
  return items[best];
}

Result<Value> sum_filter(Runtime& runtime, const BoundArguments& arguments) {
  Value total = arguments.has(2) ? arguments.at(2) : Value(int64_t{0});
  if (total.as_text() != nullptr) return runtime.fail("'sum' adds up numbers, not text");
  TRY(std::vector<Value> items, collect(runtime, arguments.at(0)));
  for (const Value& item : items) {
    TRY(Value part, get_path(runtime, item, arguments.has(1) ? arguments.at(1) : Value(None{})));
    TRY(total, compute(runtime, BinaryOperator::kAdd, total, part));
  }
  return total;
}

Result<Value> batch_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(std::vector<Value> items, collect(runtime, arguments.at(0)));
  TRY(const int64_t size, int_argument(runtime, arguments, 1, 0));
  if (size > runtime.max_range()) {
    return runtime.fail("'batch' is given a size over " + std::to_string(runtime.max_range()));
  }
  std::vector<Value> batches, batch;
  const auto end_batch = [&]() -> Status {
    TRY(Value list, runtime.make_sequence(std::exchange(batch, {})));
    batches.push_back(std::move(list));
    return {};
  };
  for (Value& item : items) {
    if (static_cast<int64_t>(batch.size()) == size) TRY_STATUS(end_batch());
    batch.push_back(std::move(item));
  }
  if (!batch.empty()) {
    if (arguments.is_given(2))
      batch.resize(std::max(batch.size(), static_cast<size_t>(std::max<int64_t>(size, 0))), arguments.at(2));
    TRY_STATUS(end_batch());
  }
  return once(runtime, std::move(batches));
}

Result<Value> slice_filter(Runtime& runtime, const BoundArguments& arguments) {
  TRY(std::vector<Value> items, collect(runtime, arguments.at(0)));
  TRY(const int64_t count, int_argument(runtime, arguments, 1, 0));
  if (count == 0) return runtime.fail("'slice' needs a number of slices");
  if (count > runtime.max_range())
    return runtime.fail("'slice' is given a count over " + std::to_string(runtime.max_range()));
  const bool fills = arguments.is_given(2);
  const auto num_items = static_cast<int64_t>(items.size());
  std::vector<Value> slices;
  for (int64_t i = 0, begin = 0; i < count; ++i) {
    const bool is_longer = i < num_items % count;
    const int64_t end = begin + num_items / count + (is_longer ? 1 : 0);
    std::vector<Value> slice(items.begin() + begin, items.begin() + end);
    if (fills && !is_longer) slice.push_back(arguments.at(2));
    TRY(Value list, runtime.make_sequence(std::move(slice)));
    slices.push_back(std::move(list));
    begin = end;
  }
  return once(runtime, std::move(slices));
}

constexpr std::array kSequenceFilters = {
    Builtin{"batch", "value linecount fill_with?", batch_filter},
    Builtin{"count", "value", length_filter},
    Builtin{"d", "value default_value? boolean?", default_filter},
    Builtin{"default", "value default_value? boolean?", default_filter},
    Builtin{"dictsort", "value case_sensitive? by? reverse?", dictsort_filter},
    Builtin{"first", "seq", first_filter},
    Builtin{"join", "value d? attribute?", join_filter},
    Builtin{"last", "seq", last_filter},
    Builtin{"length", "value", length_filter},
    Builtin{"list", "value", list_filter},
    Builtin{"max", "value case_sensitive? attribute?", extreme_filter<true>},
    Builtin{"min", "value case_sensitive? attribute?", extreme_filter<false>},
    Builtin{"reverse", "value", reverse_filter},
    Builtin{"slice", "value slices fill_with?", slice_filter},
    Builtin{"sort", "value reverse? case_sensitive? attribute?", sort_filter},
    Builtin{"sum", "iterable attribute? start?", sum_filter},
};

}  // namespace

std::span<const Builtin> sequence_filters() { return kSequenceFilters; }

}  // namespace llama_gpu::text::jinja
