// SPDX-License-Identifier: Apache-2.0
#include "plugins/package_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>

#include "base/file.h"
#include "base/sha256.h"
#include "base/strings.h"

namespace llama_gpu::plugins {
namespace {

using supervisor::UniqueFd;

constexpr size_t kMaxPathBytes = 1024;
constexpr size_t kChunkBytes = 256 << 10;

Error bad_package(std::string_view path, std::string_view why) {
  return Error{ErrorCode::kPluginInvalid, "'" + escape_line(path) + "' " + std::string(why),
               "a package holds plain files and folders only", std::string(path)};
}

// Whether it is shown as it is; also a backslash is not.
bool is_plain_text(std::string_view text) {
  return is_valid_utf8(text) && escape_line(text, std::string::npos) == text;
}

// Equal for names that differ in case or in the composition of their characters only: some file systems take
// them for one.
std::string folded_name(const std::string& name) {
  utf8proc_uint8_t* folded = nullptr;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_CASEFOLD | UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(name.data()),
                                 static_cast<utf8proc_ssize_t>(name.size()), &folded, options);
  if (size < 0) return name;
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(folded, &std::free);
  return {reinterpret_cast<const char*>(folded), static_cast<size_t>(size)};
}

// An open folder with its reading position.
using Directory = std::unique_ptr<DIR, decltype([](DIR* folder) { ::closedir(folder); })>;

// Takes the descriptor over.
Result<Directory> as_directory(int fd, const std::string& path) {
  DIR* const opened = ::fdopendir(fd);
  if (opened != nullptr) return Directory(opened);
  const int error = errno;
  ::close(fd);
  return file_error(error, "read", path);
}

// Walks a package folder and collects its files.
class PackageScan {
 public:
  PackageScan(std::string folder, const PackageLimits& limits)
      : folder_(std::move(folder)), limits_(limits) {}

  Result<std::vector<PackageFile>> run() {
    const int fd = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
      return bad_package(folder_, "is not a folder; links are not followed");
    }
    if (fd < 0) return file_error(errno, "read", folder_);
    TRY(const Directory directory, as_directory(fd, folder_));
    TRY_STATUS(scan_folder(directory.get(), "", 1));
    std::ranges::sort(files_, {}, &PackageFile::path);
    return std::move(files_);
  }

 private:
  // `parent`: "" or "a/b/".
  Status scan_folder(DIR* folder, const std::string& parent, uint64_t depth);
  Result<std::vector<std::string>> names_in(DIR* folder, const std::string& parent);
  Status check_names(const std::vector<std::string>& names, const std::string& parent) const;
  Status scan_entry(int folder_fd, const std::string& name, const std::string& path);
  Status scan_file(int fd, const std::string& path);
  std::string full_path(const std::string& path) const { return folder_ + "/" + path; }

  std::string folder_;
  PackageLimits limits_;
  std::vector<PackageFile> files_;
  uint64_t num_entries_ = 0;  // folders, too
  uint64_t total_bytes_ = 0;
};

Result<std::vector<std::string>> PackageScan::names_in(DIR* folder, const std::string& parent) {
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(folder);
    if (entry == nullptr) break;
    const std::string_view name(entry->d_name);
    if (name == "." || name == "..") continue;
    if (++num_entries_ > limits_.num_files) {
      return bad_package(folder_,
                         "holds more than " + std::to_string(limits_.num_files) + " files and folders");
    }
    names.emplace_back(name);
  }
  if (errno != 0) return file_error(errno, "read", full_path(parent));
  std::ranges::sort(names);
  return names;
}

Status PackageScan::check_names(const std::vector<std::string>& names, const std::string& parent) const {
  std::map<std::string, std::string> seen;
  for (const std::string& name : names) {
    const std::string path = parent + name;
    if (name.size() > limits_.name_bytes) {
      return bad_package(path, "has a name of more than " + std::to_string(limits_.name_bytes) + " bytes");
    }
    if (!is_plain_text(name)) {
      return bad_package(path,
                         "has a name with a backslash, a control character, or bytes that are not UTF-8");
    }
    if (path.size() > kMaxPathBytes) return bad_package(path, "is a path of more than 1024 bytes");
    const auto [other, is_new] = seen.emplace(folded_name(name), name);
    if (!is_new) {
      return bad_package(path,
                         "differs from '" + other->second + "' in case only: some disks take them for one");
    }
  }
  return {};
}

Status PackageScan::scan_folder(DIR* folder, const std::string& parent, uint64_t depth) {
  if (depth > limits_.depth) {
    return bad_package(parent, "is nested deeper than " + std::to_string(limits_.depth) + " folders");
  }
  TRY(const std::vector<std::string> names, names_in(folder, parent));
  TRY_STATUS(check_names(names, parent));
  for (const std::string& name : names) {
    const std::string path = parent + name;
    const int fd = ::openat(::dirfd(folder), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
      TRY(const Directory inner, as_directory(fd, full_path(path)));
      TRY_STATUS(scan_folder(inner.get(), path + "/", depth + 1));
    } else if (errno == ENOTDIR || errno == ELOOP) {
      TRY_STATUS(scan_entry(::dirfd(folder), name, path));
    } else {
      return file_error(errno, "read", full_path(path));
    }
  }
  return {};
}

Status PackageScan::scan_entry(int folder_fd, const std::string& name, const std::string& path) {
  struct stat info{};
  // Before it is opened: that alone could do something to a device.
  if (::fstatat(folder_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return file_error(errno, "read", full_path(path));
  }
  if (S_ISLNK(info.st_mode)) return bad_package(path, "is a link");
  if (!S_ISREG(info.st_mode)) return bad_package(path, "is a device, pipe or socket");
  const UniqueFd fd(
      ::openat(folder_fd, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (fd.get() < 0) return file_error(errno, "read", full_path(path));
  return scan_file(fd.get(), path);
}

Status PackageScan::scan_file(int fd, const std::string& path) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return file_error(errno, "read", full_path(path));
  if (!S_ISREG(info.st_mode)) return bad_package(path, "changed while it was read");
  if ((info.st_mode & (S_ISUID | S_ISGID)) != 0) return bad_package(path, "is set-uid or set-gid");
  PackageFile file{
      .path = path, .size_bytes = 0, .sha256 = "", .is_executable = (info.st_mode & S_IXUSR) != 0};
  const auto check_total = [&](uint64_t more) -> Status {
    if (more <= limits_.total_bytes - total_bytes_) return {};
    return bad_package(folder_,
                       "is larger than " + format_size(limits_.total_bytes) + ", up to '" + path + "'");
  };
  TRY_STATUS(check_total(static_cast<uint64_t>(info.st_size)));
  Sha256 digest;
  const Status status = read_chunks(fd, full_path(path), [&](std::string_view chunk) -> Status {
    TRY_STATUS(check_total(chunk.size()));  // again: it may grow while it is read
    total_bytes_ += chunk.size();
    file.size_bytes += chunk.size();
    digest.add(chunk);
    return {};
  });
  TRY_STATUS(status);
  file.sha256 = digest.finish();
  files_.push_back(std::move(file));
  return {};
}

}  // namespace

bool is_package_path(std::string_view path) {
  if (path.size() > kMaxPathBytes || !is_plain_text(path)) return false;
  return std::ranges::none_of(
      split(path, '/'), [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

Result<std::vector<PackageFile>> scan_package_files(const std::string& folder, const PackageLimits& limits) {
  return PackageScan(folder, limits).run();
}

std::string package_listing(const std::vector<PackageFile>& files) {
  std::string listing;
  for (const PackageFile& file : files) {
    listing += file.sha256 + (file.is_executable ? " x " : " - ") + std::to_string(file.size_bytes) + " " +
               file.path + "\n";
  }
  return listing;
}

Result<UniqueFd> open_package_file(const std::string& folder, const std::string& path) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const std::vector<std::string_view> parts = split(path, '/');
  for (size_t i = 0; i < parts.size() && fd.get() >= 0; ++i) {
    const int kind = i + 1 < parts.size() ? O_DIRECTORY : O_NONBLOCK | O_NOCTTY;
    fd =
        UniqueFd(::openat(fd.get(), std::string(parts[i]).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | kind));
  }
  if (fd.get() < 0 && (errno == ELOOP || errno == ENOTDIR))
    return bad_package(path, "is, or lies in, a link");
  if (fd.get() < 0) return file_error(errno, "read", folder + "/" + path);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return file_error(errno, "read", folder + "/" + path);
  if (!S_ISREG(info.st_mode)) return bad_package(path, "is not a plain file");
  return fd;
}

Status read_chunks(int fd, const std::string& path, const std::function<Status(std::string_view)>& take) {
  std::string chunk(kChunkBytes, '\0');
  for (;;) {
    const ssize_t num_read = ::read(fd, chunk.data(), chunk.size());
    if (num_read == 0) return {};
    if (num_read > 0) {
      TRY_STATUS(take({chunk.data(), static_cast<size_t>(num_read)}));
    } else if (errno != EINTR) {
      return file_error(errno, "read", path);
    }
  }
}

Result<std::string> read_package_text(const std::string& folder, const PackageFile& file,
                                      uint64_t max_bytes) {
  if (file.size_bytes > max_bytes) return bad_package(file.path, "is larger than " + format_size(max_bytes));
  TRY(const UniqueFd fd, open_package_file(folder, file.path));
  std::string text;
  const Status status =
      read_chunks(fd.get(), folder + "/" + file.path, [&](std::string_view chunk) -> Status {
        text += chunk;
        if (text.size() <= max_bytes) return {};
        return bad_package(file.path, "changed while it was read");
      });
  TRY_STATUS(status);
  if (sha256_of(text) != file.sha256) return bad_package(file.path, "changed while it was read");
  return text;
}

}  // namespace llama_gpu::plugins
