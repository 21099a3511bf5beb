// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace llama_gpu::server {

// `prefix` and 24 random letters and digits: unique, and not to be guessed. Thread-safe.
std::string random_id(std::string_view prefix);

// Whether a client's x-request-id may be kept: 1 to 64 of A-Z a-z 0-9 . _ -, so that it forges no log line.
bool is_safe_request_id(std::string_view id);

}  // namespace llama_gpu::server
