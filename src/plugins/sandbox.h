// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/manifest.h"

namespace llama_gpu::plugins {

// What a plugin's process is held to.
struct SandboxPolicy {
  std::string package_folder;  // read, execute; also the working directory
  std::string data_folder;     // read, write; also HOME and TMPDIR
  PluginPermissions permissions;
  PluginLimits limits;
};

// The layers of protection; each stands alone.
enum class SandboxLayer : uint8_t {
  kNoNewPrivileges,
  kResourceLimits,  // setrlimit
  kNamespaces,      // user, mount (a root of its own), net (without the network permission), ipc, uts
  kLandlock,        // files, and TCP where the kernel can
  kSyscallFilter,   // seccomp
};
std::string_view sandbox_layer_name(SandboxLayer layer);

// What became of a layer.
struct LayerReport {
  SandboxLayer layer;
  bool is_active = false;
  std::string reason;  // why not, or what it does not cover here
  friend bool operator==(const LayerReport&, const LayerReport&) = default;
};

// What the kernel of this machine offers, tried in a child process. Thread-safe.
std::vector<LayerReport> probe_sandbox();

// The command line and environment with which a worker process puts itself into the sandbox and becomes the
// plugin: `PROGRAM plugin-worker POLICY_JSON -- COMMAND...`. The environment is empty but for PATH, LANG,
// HOME, TMPDIR and LLAMAGPU_PLUGIN_FD. The process should lead a group, which it cannot leave.
struct SandboxedCommand {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // NAME=value
};
SandboxedCommand sandboxed_command(const SandboxPolicy& policy, const std::vector<std::string>& command);

// The reports in the line that a worker writes first; nullopt for any other line.
std::optional<std::vector<LayerReport>> parse_sandbox_line(std::string_view line);

// In the child: applies every layer that the kernel has, writes one line of JSON with the reports to stderr
// ({"sandbox":[...]}), and executes the command. Returns only where that failed: kPluginSandboxFailed, also
// for a policy that cannot be read or a layer that is there but cannot be applied. The process dies with the
// thread that started it. REQUIRES: one thread, and no descriptors but 0 to 3 that are kept on exec.
//
// Where root starts it, the plugin runs as `nobody` wherever namespaces are active; the data folder is given
// to it, all else must be readable by others.
Status enter_sandbox_and_execute(const std::string& policy_json, const std::vector<std::string>& command);

}  // namespace llama_gpu::plugins
