// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llama_gpu::telemetry {

// What a process takes of the machine's memory, in bytes.
struct ProcessMemory {
  uint64_t resident = 0;       // now
  uint64_t peak_resident = 0;  // since its start
};

// Of process `pid`, 0: this one. kFileNotFound where there is none.
Result<ProcessMemory> process_memory(int64_t pid = 0);

// Reads the text of /proc/PID/status; missing lines count as 0.
ProcessMemory parse_process_status(std::string_view text);

}  // namespace llama_gpu::telemetry
