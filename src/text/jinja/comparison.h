// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// Python's ==.
Result<bool> equal(Runtime& runtime, const Value& left, const Value& right);
// Whether two texts are the same bytes, and whether one sorts before the other, paid by what is compared.
Result<bool> equal_bytes(Runtime& runtime, std::string_view left, std::string_view right);
Result<bool> less_bytes(Runtime& runtime, std::string_view left, std::string_view right);
// Whether both are one object, for the types whose values have a place in memory: not numbers and none.
bool are_one_object(const Value& left, const Value& right);
// Python's <, which not all types have between them.
Result<bool> less(Runtime& runtime, const Value& left, const Value& right);
// Python's `item in container`.
Result<bool> contains(Runtime& runtime, const Value& container, const Value& item);
// Places of `keys` in rising order, equal ones in the order they have; with `reverse` falling, equal ones
// still in that order.
Result<std::vector<size_t>> sorted_order(Runtime& runtime, const std::vector<Value>& keys, bool reverse);

}  // namespace llama_gpu::text::jinja
