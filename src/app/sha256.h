// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llama_gpu::app {

// The SHA-256 of a file in lower-case hexadecimal digits. kCancelled once `cancelled` is set.
Result<std::string> sha256_of_file(const std::string& path, const std::atomic<bool>& cancelled);

// Whether a text has the form of one, in either case.
bool is_sha256(std::string_view text);

}  // namespace llama_gpu::app
