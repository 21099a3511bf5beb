// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/file_stamp.h"

namespace llama_gpu::supervisor {

// Looks at the state of a file on a thread of its own, one look at a time: a file system may hang, and
// whoever asks must not. Destroying it does not wait for a look that hangs. One thread.
class FileLook {
 public:
  // stamp_of, or what a test puts in its place; called on another thread.
  using Read = std::function<FileStamp(const std::string& path)>;

  FileLook(std::string path, Read read);

  // Begins a look, unless one is under way or what it found was not taken yet.
  void begin();
  // What a look found, once; nullopt while nothing was found since.
  std::optional<FileStamp> take();

 private:
  struct Look;

  std::shared_ptr<Look> look_;
};

}  // namespace llama_gpu::supervisor
