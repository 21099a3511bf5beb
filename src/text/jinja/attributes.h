// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// `object.name`: a method or attribute of the type, else the item of that name. There is no way from here to
// anything but values: names that a type does not have, and Python's names with underscores, are undefined.
Result<Value> get_attribute(Runtime& runtime, const Value& object, std::string_view name);
// `object[key]`: the item, else the attribute of that name.
Result<Value> get_item(Runtime& runtime, const Value& object, const Value& key);
// The value at a path like "function.name" or "0.id", as filters with `attribute` take it; on the way
// `otherwise` stands for what is undefined, unless it is none.
Result<Value> get_path(Runtime& runtime, const Value& object, const Value& path,
                       const Value& otherwise = Value(None{}));

// What stands between the brackets of a slice; nullopt where it was left out.
struct SliceBounds {
  std::optional<int64_t> start, stop;
  int64_t step = 1;
};
// `object[start:stop:step]` of a text, a list, a tuple or a range.
Result<Value> get_slice(Runtime& runtime, const Value& object, const SliceBounds& bounds);

}  // namespace llama_gpu::text::jinja
