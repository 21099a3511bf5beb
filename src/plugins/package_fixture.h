// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "base/check.h"
#include "plugins/package.h"

namespace llama_gpu::plugins {

// A package folder for tests; what is in `folder` already stays.
struct PackageText {
  std::string id = "acme/guard";
  std::string version = "1.0.0";
  std::string body = "print('guard')\n";  // of bin/guard, which is executable
};

// Writes without waiting for the disk.
inline void write_test_file(const std::string& path, const std::string& contents) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << contents;
  file.close();
  CHECK(file.good(), "a test's file cannot be written");
}

// A package folder with what `text` says; CHECKs that it can be written.
inline void write_test_package(const std::string& folder, const PackageText& text = {}) {
  namespace fs = std::filesystem;
  write_test_file(folder + "/plugin.toml", "[plugin]\nid = \"" + text.id + "\"\nversion = \"" + text.version +
                                               "\"\ncommand = [\"bin/guard\"]\n"
                                               "capabilities = [\"request_filter\"]\n"
                                               "[host_api]\nmin = \"1.0.0\"\nmax = \"1.9.0\"\n");
  write_test_file(folder + "/bin/guard", text.body);
  fs::permissions(folder + "/bin/guard", fs::perms::owner_exec, fs::perm_options::add);
}

// Written and read; CHECKs that it can be.
inline PluginPackage make_test_package(const std::string& folder, const PackageText& text = {}) {
  write_test_package(folder, text);
  Result<PluginPackage> package = read_package(folder);
  CHECK(package.ok(), "a test's package cannot be read");
  return *std::move(package);
}

}  // namespace llama_gpu::plugins
