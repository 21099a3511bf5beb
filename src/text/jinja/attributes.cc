// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/attributes.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <vector>

#include "text/jinja/builtin.h"
#include "text/jinja/loop_state.h"
#include "text/jinja/markup.h"
#include "text/jinja/methods.h"
#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {
namespace {

Error undefined_used(Runtime& runtime, const Undefined& undefined) {
  return runtime.fail(undefined.reason ? undefined.reason->text : "a value is undefined");
}

Result<Value> no_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  return runtime.make_undefined("'" + std::string(object.type_name()) + " object' has no attribute " +
                                show_name(name));
}

// A method or attribute of the object's type; nullopt where it has none of that name.
Result<std::optional<Value>> type_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  if (const Namespace* space = object.as_namespace()) {
    TRY(const Value* value, space->attributes.find(runtime, name));
    return value == nullptr ? std::nullopt : std::optional(*value);
  }
  if (LoopState* loop = object.as_loop()) {
    TRY(std::optional<Value> value, loop->attribute(runtime, name));
    if (value) return value;
  }
  const Builtin* method = find_builtin(methods_of(object), name);
  if (method == nullptr) return std::optional<Value>();
  TRY(Value function, make_function(runtime, *method, object));
  return std::optional(std::move(function));
}

constexpr std::string_view kChangesDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view kChangesList[] = {"append", "clear",  "extend",  "insert",
                                             "pop",    "remove", "reverse", "sort"};

bool is_listed(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Whether Python's own type has an attribute of that name that templates may not use.
bool is_refused(const Value& object, std::string_view name) {
  if (object.as_dict() != nullptr && is_listed(kChangesDict, name)) return true;
  if (object.as_sequence() != nullptr && is_listed(kChangesList, name)) return true;
  return name.starts_with("__") && name.ends_with("__");
}

std::optional<size_t> place_of(int64_t index, int64_t size) {
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::nullopt;
  return static_cast<size_t>(index);
}

// The item of a text, list or range at an integer key; nullopt where there is none.
Result<std::optional<Value>> indexed_item(Runtime& runtime, const Value& object, int64_t index) {
  if (const TaggedText* text = object.as_text()) {
    TRY_STATUS(runtime.spend_bytes(9 * text->size()));  // to count the characters, then to walk
    const auto place = place_of(index, static_cast<int64_t>(count_chars(text->bytes())));
    if (!place) return std::optional<Value>();
    const size_t begin = char_offset(text->bytes(), *place);
    TRY(Value character, runtime.make_text(text->slice(begin, begin + char_size(text->bytes(), begin))));
    if (!object.is_markup()) return std::optional(std::move(character));
    TRY(character, mark_as_markup(runtime, character));
    return std::optional(std::move(character));
  }
  if (const Range* range = object.as_range()) {
    const auto place = place_of(index, range->size);
    return place ? std::optional(Value(range->at(static_cast<int64_t>(*place)))) : std::nullopt;
  }
  const Sequence* sequence = object.as_sequence();
  if (sequence == nullptr || sequence->is_view()) return std::optional<Value>();
  const auto place = place_of(index, static_cast<int64_t>(sequence->items.size()));
  return place ? std::optional(sequence->items[*place]) : std::nullopt;
}

Result<std::optional<Value>> item(Runtime& runtime, const Value& object, const Value& key) {
  if (const Dict* dict = object.as_dict()) {
    TRY(const Value* found, dict->find(runtime, key));
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  const auto index = key.as_int();
  if (!index) return std::optional<Value>();
  return indexed_item(runtime, object, *index);
}

// Indices that a slice takes, as Python computes them.
struct SliceIndices {
  int64_t start, stop, step, count;
};

SliceIndices resolve(const SliceBounds& bounds, int64_t size) {
  const bool is_forward = bounds.step > 0;
  const int64_t lowest = is_forward ? 0 : -1, highest = is_forward ? size : size - 1;
  const auto clamp = [&](std::optional<int64_t> bound, int64_t otherwise) {
    if (!bound) return otherwise;
    return std::clamp(*bound < 0 ? *bound + size : *bound, lowest, highest);
  };
  const int64_t start = clamp(bounds.start, is_forward ? lowest : highest);
  const int64_t stop = clamp(bounds.stop, is_forward ? highest : lowest);
  const int64_t distance = is_forward ? stop - start : start - stop;
  // As unsigned, because -INT64_MIN is no int64_t.
  const uint64_t stride =
      is_forward ? static_cast<uint64_t>(bounds.step) : uint64_t{0} - static_cast<uint64_t>(bounds.step);
  const int64_t count =
      distance <= 0 ? 0 : static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / stride) + 1;
  return {start, stop, count > 1 ? bounds.step : 1, count};
}

Result<Value> slice_text(Runtime& runtime, const TaggedText& text, const SliceBounds& bounds) {
  // Counted in one pass; the other one walks over the characters.
  TRY_STATUS(runtime.spend_bytes(text.size()));
  TRY_STATUS(runtime.spend_characters(text));
  const auto indices = resolve(bounds, static_cast<int64_t>(count_chars(text.bytes())));
  if (indices.count == 0) return runtime.make_text(TaggedText());
  size_t pos = char_offset(text.bytes(), static_cast<size_t>(indices.start));
  if (indices.step == 1) {
    const size_t length = char_offset(text.bytes().substr(pos), static_cast<size_t>(indices.count));
    return runtime.make_text(text.slice(pos, pos + length));
  }
  TextBuilder out(runtime);
  for (int64_t i = 0; i < indices.count; ++i) {
    out.append(text, pos, pos + char_size(text.bytes(), pos));
    if (i + 1 == indices.count) break;
    for (int64_t skip = indices.step; skip > 0; --skip) pos += char_size(text.bytes(), pos);
    for (int64_t skip = indices.step; skip < 0; ++skip) pos = previous_char(text.bytes(), pos);
  }
  return out.finish();
}

// Computed as unsigned, because a bound that is only shown may wrap.
int64_t range_bound(const Range& range, int64_t index) {
  return static_cast<int64_t>(static_cast<uint64_t>(range.start) +
                              static_cast<uint64_t>(index) * static_cast<uint64_t>(range.step));
}

Result<Value> slice_range(const Range& range, const SliceBounds& bounds) {
  const auto indices = resolve(bounds, range.size);
  const uint64_t step = static_cast<uint64_t>(range.step) * static_cast<uint64_t>(bounds.step);
  return Value(
      std::make_shared<const Range>(Range{range_bound(range, indices.start), range_bound(range, indices.stop),
                                          static_cast<int64_t>(step), indices.count}));
}

}  // namespace

Result<Value> get_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  TRY_STATUS(runtime.spend());
  if (const auto* undefined = std::get_if<Undefined>(&object.data()))
    return undefined_used(runtime, *undefined);
  TRY(std::optional<Value> attribute, type_attribute(runtime, object, name));
  if (attribute) return std::move(*attribute);
  if (is_refused(object, name)) {
    return runtime.make_undefined("access to " + show_name(name) + " of a " +
                                  std::string(object.type_name()) + " is not allowed in a template");
  }
  if (const Dict* dict = object.as_dict()) {
    TRY(const Value* found, dict->find(runtime, name));
    if (found != nullptr) return *found;
  }
  return no_attribute(runtime, object, name);
}

Result<Value> get_item(Runtime& runtime, const Value& object, const Value& key) {
  TRY_STATUS(runtime.spend());
  if (const auto* undefined = std::get_if<Undefined>(&object.data()))
    return undefined_used(runtime, *undefined);
  TRY(std::optional<Value> found, item(runtime, object, key));
  if (found) return std::move(*found);
  const TaggedText* name = key.as_text();
  if (name == nullptr) {
    return runtime.make_undefined("a '" + std::string(object.type_name()) + "' has no such element");
  }
  TRY(std::optional<Value> attribute, type_attribute(runtime, object, name->bytes()));
  return attribute ? Result<Value>(std::move(*attribute)) : no_attribute(runtime, object, name->bytes());
}

Result<Value> get_path(Runtime& runtime, const Value& object, const Value& path, const Value& otherwise) {
  const auto or_otherwise = [&](const Value& value) {
    return value.is_undefined() && !otherwise.is_none() ? otherwise : value;
  };
  const TaggedText* names = path.as_text();
  if (path.is_none()) return object;
  if (names == nullptr) {
    TRY(Value found, get_item(runtime, object, path));
    return or_otherwise(found);
  }
  TRY_STATUS(runtime.spend_bytes(2 * names->size()));
  Value value = object;
  for (std::string_view rest = names->bytes();;) {
    const size_t end = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, end);
    int64_t index = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = error == std::errc() && stop == part.data() + part.size() && part.front() != '-';
    TRY(value, get_item(runtime, value, is_index ? Value(index) : Value::text(std::string(part))));
    value = or_otherwise(value);
    if (end == rest.size()) return value;
    rest.remove_prefix(end + 1);
  }
}

Result<Value> get_slice(Runtime& runtime, const Value& object, const SliceBounds& bounds) {
  if (const auto* undefined = std::get_if<Undefined>(&object.data()))
    return undefined_used(runtime, *undefined);
  if (bounds.step == 0) return runtime.fail("a slice's step may not be 0");
  if (const TaggedText* text = object.as_text()) {
    TRY(Value part, slice_text(runtime, *text, bounds));
    return object.is_markup() ? mark_as_markup(runtime, part) : part;
  }
  if (const Range* range = object.as_range()) return slice_range(*range, bounds);
  const Sequence* sequence = object.as_sequence();
  if (sequence == nullptr || sequence->is_view()) {
    return runtime.fail("a value of type '" + std::string(object.type_name()) + "' cannot be sliced");
  }
  const auto indices = resolve(bounds, static_cast<int64_t>(sequence->items.size()));
  TRY_STATUS(runtime.spend(indices.count));
  std::vector<Value> items;
  items.reserve(static_cast<size_t>(indices.count));
  for (int64_t i = 0; i < indices.count; ++i) {
    items.push_back(sequence->items[static_cast<size_t>(indices.start + i * indices.step)]);
  }
  return runtime.make_sequence(std::move(items), sequence->kind);
}

}  // namespace llama_gpu::text::jinja
