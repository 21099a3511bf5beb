// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "text/jinja/builtin.h"

namespace llama_gpu::text::jinja {

// The filters and tests of templates by name, null where there is none. They get the value they are applied
// to as the first argument.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);

}  // namespace llama_gpu::text::jinja
