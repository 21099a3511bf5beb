// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// Options of Python's json.dumps, with the values that chat templates get.
struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<TaggedText> indent;  // one level's; none: all in one line
  TaggedText item_separator = TaggedText(", ", Origin::kTemplate);
  TaggedText key_separator = TaggedText(": ", Origin::kTemplate);
  bool sort_keys = false;
};

// json.dumps(value): kTemplateError for what JSON has no form for.
Result<Value> to_json(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace llama_gpu::text::jinja
