// SPDX-License-Identifier: Apache-2.0
#include "app/version.h"

namespace llama_gpu::app {

std::string_view program_version() { return LLAMAGPU_VERSION; }

}  // namespace llama_gpu::app
