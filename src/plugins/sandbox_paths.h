// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "plugins/sandbox.h"

namespace llama_gpu::plugins {

// What a sandboxed process sees of the file system. Absolute; may name what this machine does not have.
struct SandboxPaths {
  std::vector<std::string> read_only;   // files and folders: read, execute
  std::vector<std::string> read_write;  // files and folders
  std::vector<std::string> devices;     // read, write
};

// The policy's folders and grants beside what programs and their interpreters need of the system.
SandboxPaths sandbox_paths(const SandboxPolicy& policy);

// The program that `command` names: a file of the package, else one of that name on the plugin's PATH.
// kPluginSandboxFailed where there is none.
Result<std::string> find_program(const std::string& package_folder, const std::string& name);

// The folders of the plugin's PATH, joined as in the variable.
inline constexpr std::string_view kPluginPath = "/usr/local/bin:/usr/bin:/bin";

}  // namespace llama_gpu::plugins
