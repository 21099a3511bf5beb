// SPDX-License-Identifier: Apache-2.0
#include "supervisor/file_look.h"

#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace llama_gpu::supervisor {

// What the thread of a look shares with whoever asked, and may outlive him with.
struct FileLook::Look {
  const std::string path;
  const Read read;
  std::mutex mutex;
  bool is_under_way = false;       // guarded by mutex
  std::optional<FileStamp> found;  // guarded by mutex

  void end(std::optional<FileStamp> with) {
    const std::lock_guard lock(mutex);
    is_under_way = false;
    found = with;
  }
};

FileLook::FileLook(std::string path, Read read)
    : look_(new Look{.path = std::move(path), .read = std::move(read), .mutex = {}, .found = {}}) {}

void FileLook::begin() {
  {
    const std::lock_guard lock(look_->mutex);
    if (look_->is_under_way || look_->found) return;
    look_->is_under_way = true;
  }
  try {
    std::thread([look = look_] { look->end(look->read(look->path)); }).detach();
  } catch (const std::system_error&) {
    look_->end(std::nullopt);  // the system has no thread now: a later look may get one
  }
}

std::optional<FileStamp> FileLook::take() {
  const std::lock_guard lock(look_->mutex);
  return std::exchange(look_->found, std::nullopt);
}

}  // namespace llama_gpu::supervisor
