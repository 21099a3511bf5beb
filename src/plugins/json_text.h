// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/result.h"

namespace llama_gpu::plugins {

using Json = nlohmann::ordered_json;

// A JSON text of at most 64 levels; `code` where it is none, with `name` in front of the reason.
Result<Json> parse_json_text(std::string_view text, std::string_view name, ErrorCode code);

// Whether a text is one JSON object; kPluginInvalid naming `name` where it is not.
Status check_json_object(std::string_view text, std::string_view name);

}  // namespace llama_gpu::plugins
