// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/answer_source.h"

namespace llama_gpu::app {

// Sets an option by the name that requests have for it, such as "top_p"; the value "default" leaves it to the
// model or the server. kInvalidValue for a name that is none, with the nearest, and for a value out of its
// range.
Status set_parameter(AnswerOptions& options, std::string_view name, std::string_view value);

// Every option with its value as text.
std::vector<std::pair<std::string_view, std::string>> parameter_texts(const AnswerOptions& options);

}  // namespace llama_gpu::app
