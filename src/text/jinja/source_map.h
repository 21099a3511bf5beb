// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llama_gpu::text::jinja {

// A place in a template: byte offset in its source.
using SourceOffset = size_t;

// "line 3, column 14", both counted from 1, columns in characters.
std::string describe_place(std::string_view source, SourceOffset offset);

// kTemplateError at a place of the template.
Error template_error(std::string_view source, SourceOffset offset, std::string message, std::string hint);

// The same for a template that cannot be read at all.
Error syntax_error(std::string_view source, SourceOffset offset, std::string message);

}  // namespace llama_gpu::text::jinja
