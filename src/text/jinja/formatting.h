// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "text/jinja/builtin.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// Python's `format % arguments`: a tuple gives its items, a dict its values by name, anything else is the
// only argument. REQUIRES: `format` is text; where it is markup the result is, too, and values are escaped.
Result<Value> percent_format(Runtime& runtime, const Value& format, const Value& arguments);

// Python's format.format(arguments), with positions, names, attributes, items, !r and !s, and format
// specifications for text and numbers. REQUIRES: `format` is text; values are escaped for markup.
Result<Value> brace_format(Runtime& runtime, const Value& format, const CallArguments& arguments);

}  // namespace llama_gpu::text::jinja
