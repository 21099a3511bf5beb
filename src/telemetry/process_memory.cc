// SPDX-License-Identifier: Apache-2.0
#include "telemetry/process_memory.h"

#include "base/file.h"
#include "base/strings.h"

namespace llama_gpu::telemetry {

Result<ProcessMemory> process_memory(int64_t pid) {
  const std::string folder = pid == 0 ? "self" : std::to_string(pid);
  TRY(const std::string status, read_file("/proc/" + folder + "/status", 64 << 10));
  return parse_process_status(status);
}

ProcessMemory parse_process_status(std::string_view text) {
  ProcessMemory memory;
  for (std::string_view line : split(text, '\n')) {
    const auto [key, value] = split_once(line, ':');
    uint64_t* const field = key == "VmRSS"   ? &memory.resident
                            : key == "VmHWM" ? &memory.peak_resident
                                             : nullptr;
    if (field == nullptr) continue;
    // "   123456 kB", where kB means KiB.
    const auto kibibytes = parse_integer(split_once(trim(value), ' ').first);
    if (kibibytes && *kibibytes >= 0) *field = uint64_t(*kibibytes) * 1024;
  }
  return memory;
}

}  // namespace llama_gpu::telemetry
