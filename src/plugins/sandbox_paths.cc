// SPDX-License-Identifier: Apache-2.0
#include "plugins/sandbox_paths.h"

#include <unistd.h>

#include <filesystem>

#include "base/strings.h"

namespace llama_gpu::plugins {
namespace {

// Programs, libraries, and the few settings that loaders, interpreters and TLS libraries look for.
constexpr std::string_view kSystemPaths[] = {
    "/usr",     "/lib",     "/lib32",           "/lib64",           "/libx32",
    "/bin",     "/sbin",    "/etc/ld.so.cache", "/etc/ld.so.conf",  "/etc/ld.so.conf.d",
    "/etc/ssl", "/etc/pki", "/etc/localtime",   "/etc/alternatives"};
// What finding a host by its name needs.
constexpr std::string_view kNetworkPaths[] = {"/etc/resolv.conf", "/etc/hosts",    "/etc/nsswitch.conf",
                                              "/etc/host.conf",   "/etc/gai.conf", "/etc/services",
                                              "/etc/protocols"};
constexpr std::string_view kDevices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                         "/dev/urandom"};

// Debian's Python reads its start-up file there, and complains where it may not.
void add_python_settings(std::vector<std::string>& paths) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/etc", ignored)) {
    if (entry.path().filename().string().starts_with("python3")) paths.push_back(entry.path().string());
  }
}

bool is_program(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

}  // namespace

SandboxPaths sandbox_paths(const SandboxPolicy& policy) {
  SandboxPaths paths;
  paths.read_only.assign(std::begin(kSystemPaths), std::end(kSystemPaths));
  add_python_settings(paths.read_only);
  if (policy.permissions.network)
    paths.read_only.insert(paths.read_only.end(), std::begin(kNetworkPaths), std::end(kNetworkPaths));
  paths.read_only.push_back(policy.package_folder);
  for (const std::string& path : policy.permissions.read_paths) paths.read_only.push_back(path);

  paths.read_write.push_back(policy.data_folder);
  for (const std::string& path : policy.permissions.write_paths) paths.read_write.push_back(path);
  paths.devices.assign(std::begin(kDevices), std::end(kDevices));
  return paths;
}

Result<std::string> find_program(const std::string& package_folder, const std::string& name) {
  const std::string packaged = package_folder + "/" + name;
  if (is_program(packaged)) return packaged;
  if (name.find('/') == std::string::npos) {
    for (const std::string_view folder : split(kPluginPath, ':')) {
      const std::string installed = std::string(folder) + "/" + name;
      if (is_program(installed)) return installed;
    }
  }
  return Error{ErrorCode::kPluginSandboxFailed,
               "there is no program '" + name + "' in the package, nor in " + std::string(kPluginPath),
               "install it, or name another one in the manifest's command"};
}

}  // namespace llama_gpu::plugins
