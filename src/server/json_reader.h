// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/result.h"

namespace llama_gpu::server {

using Json = nlohmann::ordered_json;

// A JSON document from outside: kInvalidJson where it is not UTF-8 or not JSON, nests deeper or is larger
// than api/limits.yaml says (json_depth, json_keys, json_values), holds a number beyond double, or a key
// twice. Time and memory are linear in the text.
Result<Json> read_json(std::string_view text);

}  // namespace llama_gpu::server
