// SPDX-License-Identifier: Apache-2.0
#include "formats/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "base/failpoint.h"
#include "base/strings.h"

namespace llama_gpu::formats {
namespace {

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

Result<struct stat> stat_path(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0) return status;
  const int reason = errno;
  if (reason == ENOENT && ::lstat(path.c_str(), &status) == 0) {
    return Error{ErrorCode::kFileNotFound,
                 fmt::format("'{}' is a link to a file that is not there", escape_line(path)),
                 "get the file again, or correct the link"};
  }
  return file_error(reason, "open", path);
}

// Of an open file, so that what was checked is what is mapped.
Result<struct stat> stat_file(const File& file) {
  struct stat status = {};
  if (::fstat(file.fd(), &status) != 0) return file_error(errno, "look at", file.path());
  return status;
}

Status check_is_regular(const std::string& path, const struct stat& status) {
  if (S_ISREG(status.st_mode)) return {};
  return Error{ErrorCode::kNotAFile,
               fmt::format("'{}' is {}, expected a model file", escape_line(path), kind_of(status.st_mode)),
               "name a GGUF file"};
}

Status check_is_model_like(const std::string& path, const struct stat& status) {
  TRY_STATUS(check_is_regular(path, status));
  if (status.st_size == 0) {
    return Error{ErrorCode::kModelTruncated, fmt::format("'{}' is empty", escape_line(path)),
                 "the file is incomplete: get it again", /*param=*/"", /*byte_offset=*/0};
  }
  return {};
}

bool is_same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

Status check_model_path(const std::string& path) {
  TRY(const struct stat status, stat_path(path));
  return check_is_regular(path, status);
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  TRY_STATUS(check_model_path(path));
  TRY(File file, File::open_for_reading(path));
  TRY(const struct stat identity, stat_file(file));
  TRY_STATUS(check_is_model_like(path, identity));

  const auto size_bytes = static_cast<size_t>(identity.st_size);
  TRY_STATUS(failpoint("model_file.map"));
  void* address = ::mmap(nullptr, size_bytes, PROT_READ, MAP_PRIVATE, file.fd(), 0);
  if (address == MAP_FAILED) return file_error(errno, "map", path);
  return MappedFile(path, std::move(file), identity, {static_cast<const std::byte*>(address), size_bytes});
}

MappedFile::MappedFile(std::string path, File file, const struct stat& identity,
                       std::span<const std::byte> bytes)
    : path_(std::move(path)), file_(std::move(file)), identity_(identity), bytes_(bytes) {}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::move(other.file_)),
      identity_(other.identity_),
      bytes_(std::exchange(other.bytes_, {})) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release_pages(std::span<const std::byte> part) const {
  static const auto page_bytes = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  // Whole pages only: the neighbours share the first and the last one.
  const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page_bytes - 1) / page_bytes * page_bytes;
  const auto end = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page_bytes * page_bytes;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

Status MappedFile::verify_unchanged() const {
  const Result<struct stat> mapped = stat_file(file_);
  const Result<struct stat> at_path = stat_path(path_);
  if (mapped.ok() && at_path.ok() && is_same_file(*mapped, identity_) && is_same_file(*at_path, identity_))
    return {};
  return Error{
      ErrorCode::kModelChanged,
      fmt::format("'{}' {} since it was opened", escape_line(path_), at_path.ok() ? "changed" : "vanished"),
      "leave model files alone while they are loaded; load the model again"};
}

}  // namespace llama_gpu::formats
