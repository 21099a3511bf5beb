// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/bounded_reader.h"
#include "base/result.h"
#include "formats/metadata.h"

namespace llama_gpu::formats {

// Reads `count` metadata entries, and leaves `reader` behind them. kModelInvalid or kModelTruncated naming
// the key and what is wrong with it.
Result<Metadata> read_gguf_metadata(BoundedReader& reader, uint64_t count);

}  // namespace llama_gpu::formats
