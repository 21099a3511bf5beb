// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "text/jinja/builtin.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// Markup is text that `safe` or `escape` marked as HTML. Prompts are not HTML, but Jinja2 escapes what is
// joined to markup with `+`, `%` and the methods of text, and templates of models that say `x | safe + y`
// were trained with that: so it is done here, too.

// The text with &, <, >, ' and " as HTML entities, which have the origin of what they stand for.
Result<TaggedText> escape_html(Runtime& runtime, const TaggedText& text);
// str(value) escaped, as markup; markup is returned as it is.
Result<Value> to_markup(Runtime& runtime, const Value& value);
// The same text as markup, not escaped.
Result<Value> mark_as_markup(Runtime& runtime, const Value& text);

// Calls a method of markup: text among its arguments is escaped and its results are markup, for the methods
// for which Python's Markup does so. REQUIRES: the first argument is markup.
Result<Value> call_markup_method(Runtime& runtime, const Builtin& method, CallArguments arguments);

}  // namespace llama_gpu::text::jinja
