// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/mapped_file.h"

namespace llama_gpu::formats {

// A checkpoint in one GGUF file. Errors as parse_gguf_header's; kUnsupportedModel for a part of a split
// model.
Result<std::unique_ptr<Checkpoint>> open_gguf(MappedFile file);

}  // namespace llama_gpu::formats
