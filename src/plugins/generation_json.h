// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/generation_store.h"

// The JSON files of a plugin store. Readers take any bytes: kPluginStoreInvalid naming `file_name` and the
// field for all that the writers do not write.
namespace llama_gpu::plugins {

// generations/N.json
std::string encode_generation(const Generation& generation);
Result<Generation> decode_generation(std::string_view json, std::string_view file_name);

// quarantine.json
std::string encode_quarantine(const std::vector<QuarantinedPackage>& packages);
Result<std::vector<QuarantinedPackage>> decode_quarantine(std::string_view json, std::string_view file_name);

// Whether these plugins may form a generation: names, versions, digests and configs in order, sorted by id,
// each once. kInvalidValue.
Status check_installed_plugins(const std::vector<InstalledPlugin>& plugins);
// Whether its names can be kept. kInvalidValue.
Status check_quarantined_package(const QuarantinedPackage& package);

}  // namespace llama_gpu::plugins
