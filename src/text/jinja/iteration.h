// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// Python's iter(value): a text gives its characters, a dict its keys. An iterator gives itself.
// kTemplateError for what has no items.
Result<std::shared_ptr<Iterator>> iterate(Runtime& runtime, const Value& value);
bool is_iterable(const Value& value);
// Python's len(value); nullopt for what has none.
Result<std::optional<int64_t>> length_of(Runtime& runtime, const Value& value);
bool has_length(const Value& value);
// Python's list(value), as items.
Result<std::vector<Value>> collect(Runtime& runtime, const Value& value);

// The items of a dict as Python's dict.items() gives them: tuples of two.
Result<std::vector<Value>> dict_items(Runtime& runtime, const Dict& dict);

}  // namespace llama_gpu::text::jinja
