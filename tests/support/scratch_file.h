// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>

namespace llama_gpu::test_support {

// A name for a file of this process' own in the temporary folder; the file is removed with it. One thread.
class ScratchFile {
 public:
  explicit ScratchFile(std::string_view suffix = "") {
    static std::atomic<int> next = 0;
    path_ = std::filesystem::temp_directory_path() / ("llama_gpu_test_" + std::to_string(::getpid()) + "_" +
                                                      std::to_string(next++) + std::string(suffix));
  }
  ~ScratchFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace llama_gpu::test_support
