// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/failpoint.h"
#include "base/strings.h"

namespace llama_gpu {
namespace {

ErrorCode code_of(int errno_value) {
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ErrorCode::kDiskFull;
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return ErrorCode::kFileNotFound;
    case EISDIR:
      return ErrorCode::kNotAFile;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorCode::kPermissionDenied;
    case ENOMEM:
      return ErrorCode::kOutOfMemory;
    default:
      return ErrorCode::kIoFailed;
  }
}

std::string_view hint_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kDiskFull:
      return "free some space, or choose a folder on another disk";
    case ErrorCode::kFileNotFound:
      return "check the path";
    case ErrorCode::kNotAFile:
      return "give the path of a file";
    case ErrorCode::kPermissionDenied:
      return "change its permissions, or start this program as a user who has them";
    default:
      return "";
  }
}

// Opens again when a signal came between.
Result<int> open_fd(const std::string& path, int flags, std::string_view action) {
  for (;;) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (fd >= 0) return fd;
    if (errno != EINTR) return file_error(errno, action, path);
  }
}

}  // namespace

Error file_error(int errno_value, std::string_view action, std::string_view path) {
  const ErrorCode code = code_of(errno_value);
  return Error{code,
               "cannot " + std::string(action) + " '" + escape_line(path) +
                   "': " + std::generic_category().message(errno_value),
               std::string(hint_of(code))};
}

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Result<File> File::open_for_reading(const std::string& path) {
  TRY(const int fd, open_fd(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, "read"));
  File file(fd, path);
  struct stat info{};
  if (::fstat(fd, &info) != 0) return file_error(errno, "read", path);
  if (S_ISDIR(info.st_mode)) return file_error(EISDIR, "read", path);
  return file;
}

Result<File> File::open_for_appending(const std::string& path) {
  TRY(const int fd, open_fd(path, O_WRONLY | O_CREAT | O_APPEND, "write"));
  return File(fd, path);
}

Result<File> File::create(const std::string& path) {
  TRY(const int fd, open_fd(path, O_WRONLY | O_CREAT | O_TRUNC, "write"));
  return File(fd, path);
}

Result<uint64_t> File::size_bytes() const {
  struct stat info{};
  if (::fstat(fd_, &info) != 0) return file_error(errno, "read", path_);
  return static_cast<uint64_t>(info.st_size);
}

Result<size_t> File::pread(std::span<std::byte> bytes, uint64_t offset) const {
  TRY_STATUS(failpoint("file.read"));
  size_t num_read = 0;
  while (num_read < bytes.size()) {
    const ssize_t got =
        ::pread(fd_, bytes.data() + num_read, bytes.size() - num_read, static_cast<off_t>(offset + num_read));
    if (got == 0) break;
    if (got > 0) {
      num_read += static_cast<size_t>(got);
    } else if (errno != EINTR) {
      return file_error(errno, "read", path_);
    }
  }
  return num_read;
}

Status File::write(std::string_view bytes) {
  TRY_STATUS(failpoint("file.write"));
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      return file_error(errno, "write", path_);
    }
  }
  return {};
}

Status File::truncate(uint64_t size_bytes) {
  if (::ftruncate(fd_, static_cast<off_t>(size_bytes)) != 0) return file_error(errno, "write", path_);
  return {};
}

Status File::sync() {
  TRY_STATUS(failpoint("file.sync"));
  if (::fsync(fd_) != 0) return file_error(errno, "write", path_);
  return {};
}

Result<std::string> read_file(const std::string& path, uint64_t max_bytes) {
  TRY(const File file, File::open_for_reading(path));
  std::string contents;
  constexpr size_t kChunkBytes = 64 << 10;
  // Not by the size that the system tells: that is 0 for files under /proc.
  for (size_t got = kChunkBytes; got == kChunkBytes;) {
    const size_t offset = contents.size();
    contents.resize(offset + kChunkBytes);
    TRY(const size_t num_read,
        file.pread(std::as_writable_bytes(std::span(contents).subspan(offset)), offset));
    got = num_read;
    contents.resize(offset + got);
    if (contents.size() > max_bytes) {
      return Error{ErrorCode::kInvalidValue,
                   "'" + escape_line(path) + "' is larger than " + format_size(max_bytes)};
    }
  }
  return contents;
}

Status rename_durably(const std::string& from, const std::string& to) {
  TRY_STATUS(failpoint("file.rename"));
  if (std::rename(from.c_str(), to.c_str()) != 0) return file_error(errno, "write", to);
  const std::string parent = std::filesystem::path(to).parent_path().string();
  TRY(const int fd, open_fd(parent.empty() ? "." : parent, O_RDONLY | O_DIRECTORY, "write"));
  const int synced = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  // Some network file systems do not sync folders; the rename itself happened.
  if (synced != 0 && error != EINVAL && error != EROFS) return file_error(error, "write", to);
  return {};
}

Status write_file_atomically(const std::string& path, std::string_view contents) {
  const std::string beside = path + ".new";
  const Status status = [&]() -> Status {
    TRY(File file, File::create(beside));
    TRY_STATUS(file.write(contents));
    TRY_STATUS(file.sync());
    return rename_durably(beside, path);
  }();
  if (!status.ok()) ::unlink(beside.c_str());
  return status;
}

Status create_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return file_error(error.value(), "make the folder", path);
  return {};
}

Result<uint64_t> free_disk_bytes(const std::string& path) {
  struct statvfs info{};
  if (::statvfs(path.c_str(), &info) != 0) return file_error(errno, "look at the disk of", path);
  return uint64_t{info.f_bavail} * info.f_frsize;
}

}  // namespace llama_gpu
