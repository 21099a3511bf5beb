// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "plugins/manifest.h"

namespace llama_gpu::plugins {

// Bounds of a package; beyond, it is refused before anything is kept.
struct PackageLimits {
  uint64_t total_bytes = uint64_t{512} << 20;
  uint64_t num_files = 10'000;
  uint64_t depth = 32;
  uint64_t name_bytes = 255;
};

// One file of a package.
struct PackageFile {
  std::string path;  // relative, '/' between parts, none of them "." or ".."
  uint64_t size_bytes = 0;
  std::string sha256;  // lower-case hex
  bool is_executable = false;
  friend bool operator==(const PackageFile&, const PackageFile&) = default;
};

// A folder that holds a plugin, read and checked.
struct PluginPackage {
  std::string folder;
  PluginManifest manifest;
  std::vector<PackageFile> files;  // by path
  std::string digest;              // of paths, modes and contents; names exactly these bytes
};

// Reads a package folder. kPluginInvalid for a missing or bad manifest, anything but plain files and folders
// (links, devices, set-uid), names that differ in case only or are not UTF-8, or what passes `limits`.
// Follows no link.
Result<PluginPackage> read_package(const std::string& folder, const PackageLimits& limits = {});

}  // namespace llama_gpu::plugins
