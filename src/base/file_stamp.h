// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace llama_gpu {

// What tells one state of a file from the next without reading it.
struct FileStamp {
  bool exists = false;  // all else is 0 where it does not
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// The state of the file at a path now, links followed. A file that may not be looked at counts as none.
FileStamp stamp_of(const std::string& path);

}  // namespace llama_gpu
