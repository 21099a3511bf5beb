// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace llama_gpu::app {

// "0.1.0": of the program, its API and its workers.
std::string_view program_version();

}  // namespace llama_gpu::app
