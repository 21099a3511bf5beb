// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace llama_gpu::app {

// A plugin's config after `assignments` "KEY=VALUE", as of --set: "." in a key goes into an object, a VALUE
// that is JSON counts as such, any other as text. kInvalidValue for what has no key, or goes into something
// that is no object.
Result<nlohmann::ordered_json> with_assignments(nlohmann::ordered_json config,
                                                const std::vector<std::string>& assignments);

// A file that holds a config: one JSON object. kInvalidJson, or why it cannot be read.
Result<nlohmann::ordered_json> read_config_file(const std::string& path);

}  // namespace llama_gpu::app
