// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "text/jinja/builtin.h"

namespace llama_gpu::text::jinja {

// The functions that every template finds: range, dict, namespace, raise_exception and strftime_now. Null for
// other names.
const Builtin* find_global(std::string_view name);

}  // namespace llama_gpu::text::jinja
