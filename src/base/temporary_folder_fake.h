// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.h"
#include "base/file.h"

namespace llama_gpu {

// A folder of its own for a test, removed with its contents.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "llama-gpu-test-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr, "no temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    namespace fs = std::filesystem;
    std::error_code ignored;
    // What is in a read-only folder cannot be removed.
    for (fs::recursive_directory_iterator entries(path_, ignored), end; !ignored && entries != end;
         entries.increment(ignored)) {
      if (!entries->is_directory(ignored) || entries->is_symlink(ignored)) continue;
      fs::permissions(entries->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

  // Returns the path of the new file.
  std::string write(const std::string& name, std::string_view contents) const {
    CHECK(write_file_atomically(path(name), contents).ok(), "a test's file cannot be written");
    return path(name);
  }

 private:
  std::string path_;
};

}  // namespace llama_gpu
