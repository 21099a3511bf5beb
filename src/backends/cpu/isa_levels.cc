// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/isa_levels.h"

#include <string>

namespace llama_gpu::cpu {
namespace {

bool has_scalar() { return true; }
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}

// One row for each instruction set, slowest first.
struct IsaLevel {
  std::string_view name;
  bool (*is_supported)();
  const KernelTable& (*kernels)();
};
constexpr IsaLevel kLevels[] = {
    {"scalar", has_scalar, scalar_kernels},
    {"avx2", has_avx2, avx2_kernels},
    {"avx512", has_avx512, avx512_kernels},
};

}  // namespace

std::vector<std::string_view> supported_isas() {
  std::vector<std::string_view> names;
  for (const IsaLevel& level : kLevels) {
    if (level.is_supported()) names.push_back(level.name);
  }
  return names;
}

Result<const KernelTable*> choose_kernels(std::string_view isa) {
  const IsaLevel* best = nullptr;
  std::string supported;
  for (const IsaLevel& level : kLevels) {
    if (!level.is_supported()) continue;
    supported += (supported.empty() ? "'" : ", '") + std::string(level.name) + "'";
    if (isa.empty() || isa == level.name) best = &level;
  }
  if (best != nullptr) return &best->kernels();
  return Error{ErrorCode::kInvalidValue,
               "instruction set '" + std::string(isa) + "' is not one that this processor has: " + supported,
               "choose one of these, or none for the best", "isa"};
}

}  // namespace llama_gpu::cpu
