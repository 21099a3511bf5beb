// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "text/jinja/ast.h"

namespace llama_gpu::text::jinja {

// Reads a template. `max_depth` bounds how deep statements and expressions nest in it. kTemplateError with
// line and column.
Result<std::shared_ptr<const Program>> parse_template(std::string_view source, int32_t max_depth);

}  // namespace llama_gpu::text::jinja
