// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// Python's str(value), appended.
Status append_str(Runtime& runtime, TextBuilder& out, const Value& value);
// Python's repr(value), appended: what str() shows of the items of lists and dicts.
Status append_repr(Runtime& runtime, TextBuilder& out, const Value& value);
// Python's str(value) as a value: a text is returned as it is.
Result<Value> to_str(Runtime& runtime, const Value& value);

// How both repr() and JSON write a backslash, a line end or a tab; empty for other characters.
std::string_view common_escape(char32_t code);

// The shortest digits that read back as `number`, in Python's notation.
std::string float_repr(double number);

}  // namespace llama_gpu::text::jinja
