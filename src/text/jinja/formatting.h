// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "text/jinja/builtin.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// Python's `format % arguments`: a tuple gives its items, a dict its values by name, anything else is the
// only argument.
Result<Value> percent_format(Runtime& runtime, const TaggedText& format, const Value& arguments);

// Python's format.format(arguments), with positions, names, attributes, items, !r and !s, and format
// specifications for text and numbers.
Result<Value> brace_format(Runtime& runtime, const TaggedText& format, const CallArguments& arguments);

}  // namespace llama_gpu::text::jinja
