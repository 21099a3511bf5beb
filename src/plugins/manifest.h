// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/semver.h"

namespace llama_gpu::plugins {

// The version of what a plugin can use of the host: protocol and hooks. Its major number grows with a change
// that could break a plugin.
inline constexpr std::string_view kHostApiVersion = "1.0.0";

// The manifest's name in every package, and how large it may be.
inline constexpr std::string_view kManifestName = "plugin.toml";
inline constexpr uint64_t kMaxManifestBytes = 64 << 10;

// Programs that a command may begin with though no package holds them.
inline constexpr std::array<std::string_view, 6> kPluginInterpreters = {"python3", "bash", "node",
                                                                        "perl",    "ruby", "sh"};

// What a plugin offers; each is one method of the protocol (docs/plugins/protocol.md).
enum class Capability : uint8_t { kRequestFilter, kEventListener };

// What becomes of a request whose filter failed: it goes on as it was, or it is refused.
enum class FailurePolicy : uint8_t { kOpen, kClosed };

// Another plugin that must be there.
struct PluginDependency {
  std::string id;
  VersionRange range;
};

// What a plugin may touch beside its own package (read only) and its own data folder.
struct PluginPermissions {
  std::vector<std::string> read_paths = {};   // absolute; files or folders of the host
  std::vector<std::string> write_paths = {};  // absolute
  bool network = false;

  friend bool operator==(const PluginPermissions&, const PluginPermissions&) = default;
};

// What one process of a plugin gets of the machine. Defaults suit a small interpreter.
struct PluginLimits {
  int64_t memory_bytes = int64_t{512} << 20;    // address space
  int64_t file_size_bytes = int64_t{64} << 20;  // of one file that it writes
  int64_t open_files = 64;
  int64_t processes = 16;  // threads and children
  std::chrono::milliseconds start_timeout{10'000};
  std::chrono::milliseconds call_timeout{5'000};  // then the process is killed
  int64_t concurrent_calls = 64;                  // more wait

  friend bool operator==(const PluginLimits&, const PluginLimits&) = default;
};

// A plugin as its plugin.toml describes it. Checked: every value is in range, names are safe to be parts of
// paths, and the entry lies in the package.
struct PluginManifest {
  std::string id;  // "publisher/name", each [a-z0-9][a-z0-9-]{0,38}
  Version version;
  std::string summary;
  std::string license;                   // SPDX; may be empty
  Version host_api_min, host_api_max;    // both inclusive
  std::vector<std::string> tested_with;  // host versions
  std::vector<PluginDependency> dependencies;
  std::vector<PluginDependency> conflicts;
  std::vector<Capability> capabilities;
  PluginPermissions permissions;
  PluginLimits limits;
  FailurePolicy failure_policy = FailurePolicy::kOpen;
  int64_t order = 100;    // of its hooks among those of others: lower first, then by id
  bool required = false;  // readiness fails without it
  // Program and arguments. The program is a path in the package, or one of the interpreters that the host
  // allows by name ("python3").
  std::vector<std::string> command;
  std::string config_schema = "{}";  // JSON Schema, as JSON text
  std::string config_schema_file;  // of the package, which read_package puts into config_schema; mostly none
  std::string default_config = "{}";  // JSON object
};

// The names that manifests, the API and logs use, "request_filter".
std::string_view capability_name(Capability capability);
std::string_view failure_policy_name(FailurePolicy policy);

// Whether `id` may name a plugin.
bool is_plugin_id(std::string_view id);

// Reads plugin.toml. kPluginInvalid names `file_name`, line, column, what was expected and the nearest known
// key. Unknown keys are errors: a permission that is misspelt must not be lost.
Result<PluginManifest> parse_manifest(std::string_view toml, std::string_view file_name);

// kPluginIncompatible, naming both sides, where this host's API is not between the manifest's bounds.
Status check_host_api(const PluginManifest& manifest, const Version& host_api);

}  // namespace llama_gpu::plugins
