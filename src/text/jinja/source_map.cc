// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/source_map.h"

#include <algorithm>

#include "text/jinja/unicode.h"

namespace llama_gpu::text::jinja {

std::string describe_place(std::string_view source, SourceOffset offset) {
  const std::string_view before = source.substr(0, std::min(offset, source.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return "line " + std::to_string(line) + ", column " +
         std::to_string(count_chars(before.substr(line_start)) + 1);
}

Error template_error(std::string_view source, SourceOffset offset, std::string message, std::string hint) {
  return Error{ErrorCode::kTemplateError,
               "chat template, " + describe_place(source, offset) + ": " + std::move(message),
               std::move(hint)};
}

Error syntax_error(std::string_view source, SourceOffset offset, std::string message) {
  return template_error(source, offset, std::move(message),
                        "correct the model's chat template, or use another one");
}

}  // namespace llama_gpu::text::jinja
