// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/file.h"
#include "base/result.h"

namespace llama_gpu::formats {

// Whether there could be a model file at the path, found without opening it: a pipe would wait for a writer,
// and a device may do anything. kFileNotFound; kNotAFile for a folder, a pipe, a socket or a device.
Status check_model_path(const std::string& path);

// A regular file, mapped read-only for as long as this lives.
//
// A page of a file that another program cuts short ends the process that touches it (SIGBUS): no check can
// rule that out, verify_unchanged only makes it unlikely. So a server maps model files in its engine workers,
// whose end the supervisor reports, and never in the control plane. Immutable; readers on any thread.
class MappedFile {
 public:
  // kFileNotFound where there is none; kPermissionDenied where it may not be read; kNotAFile where it is a
  // folder, a device or a pipe; kModelTruncated where it is empty.
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) = delete;
  ~MappedFile();

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }

  // Tells the system that the pages of `part` are not needed for now; reading them stays allowed.
  void release_pages(std::span<const std::byte> part) const;
  // kModelChanged where the file at the path is another one by now, or has another size or time of change.
  Status verify_unchanged() const;

 private:
  MappedFile(std::string path, File file, const struct stat& identity, std::span<const std::byte> bytes);

  std::string path_;
  File file_;
  struct stat identity_ = {};
  std::span<const std::byte> bytes_;
};

}  // namespace llama_gpu::formats
