// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llama_gpu {

// An open file, closed with its owner. One thread at a time; pread of different places on any thread.
class File {
 public:
  File() = default;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  // Never waits, not for the writer of a pipe either. kFileNotFound where it is not there, kPermissionDenied,
  // kNotAFile for a folder.
  static Result<File> open_for_reading(const std::string& path);
  // Creates it where it is missing; what it holds already stays, and writing goes on behind it.
  static Result<File> open_for_appending(const std::string& path);
  // Makes it new and empty, readable by its owner and others as the umask says.
  static Result<File> create(const std::string& path);

  int fd() const { return fd_; }
  const std::string& path() const { return path_; }

  Result<uint64_t> size_bytes() const;
  // Fills `bytes` from `offset`; returns how many there were before the end of the file.
  Result<size_t> pread(std::span<std::byte> bytes, uint64_t offset) const;
  // All of it, or kDiskFull or kIoFailed with some of it written.
  Status write(std::string_view bytes);
  // Cuts the file. What was appended before is gone.
  Status truncate(uint64_t size_bytes);
  // Until this returned, a power cut may lose what was written.
  Status sync();

 private:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  std::string path_;
};

// The Error for `errno_value`: kDiskFull, kFileNotFound, kNotAFile, kPermissionDenied, kOutOfMemory or
// kIoFailed; "cannot ACTION 'PATH': reason".
Error file_error(int errno_value, std::string_view action, std::string_view path);

// A whole small file. kInvalidValue where it is larger than `max_bytes`.
Result<std::string> read_file(const std::string& path, uint64_t max_bytes);
// Old or new contents after a crash at any point, never a mixture: writes beside it, syncs, renames.
Status write_file_atomically(const std::string& path, std::string_view contents);
// Renames within a file system and makes that durable; an existing `to` is replaced at once.
Status rename_durably(const std::string& from, const std::string& to);
// With all missing parents.
Status create_directories(const std::string& path);
// Bytes that an ordinary user may still write to the file system of `path`, which exists.
Result<uint64_t> free_disk_bytes(const std::string& path);

}  // namespace llama_gpu
