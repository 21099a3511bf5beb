// SPDX-License-Identifier: Apache-2.0
#include "plugins/store_steps.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <span>
#include <system_error>

#include "base/check.h"
#include "base/file.h"
#include "supervisor/unique_fd.h"

namespace llama_gpu::plugins {
namespace {

namespace fs = std::filesystem;

std::string parent_of(const std::string& path) { return fs::path(path).parent_path().string(); }

// Of a call that returns 0, or -1 with errno set.
Status status_of(int returned, std::string_view action, const std::string& path) {
  if (returned == 0) return {};
  return file_error(errno, action, path);
}

bool is_listed(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::string store_step_name(std::string_view area, std::string_view action) {
  CHECK(is_listed(kStoreAreas, area) && is_listed(kStoreActions, action),
        "a step of the store is not listed");
  return "plugin_store." + std::string(area) + "." + std::string(action);
}

std::string path_in_store(std::string_view folder, std::string_view name) {
  std::string path(folder);
  path += '/';
  path += name;
  return path;
}

Status sync_store_folder(std::string_view area, const std::string& folder) {
  return store_step(area, "sync_folder", [&]() -> Status {
    const supervisor::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return file_error(errno, "read", folder);
    // Some network file systems do not sync folders.
    if (::fsync(fd.get()) == 0 || errno == EINVAL || errno == EROFS) return {};
    return file_error(errno, "write", folder);
  });
}

Status make_store_folder(std::string_view area, const std::string& folder) {
  std::error_code ignored;
  if (fs::is_directory(folder, ignored)) return {};
  TRY_STATUS(store_step(area, "make_folder", [&]() -> Status {
    if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return {};
    return file_error(errno, "make the folder", folder);
  }));
  return sync_store_folder(area, parent_of(folder));
}

Status replace_store_file(std::string_view area, const std::string& path, std::string_view contents) {
  const std::string beside = path + ".new";
  const Status status = [&]() -> Status {
    TRY(File file, File::create(beside));
    TRY_STATUS(store_step(area, "write", [&] { return file.write(contents); }));
    TRY_STATUS(store_step(area, "sync", [&] { return file.sync(); }));
    return rename_in_store(area, beside, path);
  }();
  if (!status.ok()) ::unlink(beside.c_str());
  return status;
}

Status rename_in_store(std::string_view area, const std::string& from, const std::string& to) {
  TRY_STATUS(store_step(area, "rename",
                        [&] { return status_of(std::rename(from.c_str(), to.c_str()), "write", to); }));
  return sync_store_folder(area, parent_of(to));
}

Status delete_store_file(std::string_view area, const std::string& path) {
  return store_step(area, "delete", [&]() -> Status {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return file_error(errno, "remove", path);
  });
}

Status delete_store_tree(std::string_view area, const std::string& folder) {
  std::error_code error;
  if (fs::symlink_status(folder, error).type() == fs::file_type::not_found) return {};
  // Packages are read-only; what is in a folder can be removed only while the folder can be written.
  TRY_STATUS(status_of(::chmod(folder.c_str(), 0700), "remove", folder));
  TRY(const std::vector<std::string> names, names_in_store(folder));
  for (const std::string& name : names) {
    const std::string path = path_in_store(folder, name);
    if (fs::symlink_status(path, error).type() == fs::file_type::directory) {
      TRY_STATUS(delete_store_tree(area, path));
    } else {
      TRY_STATUS(delete_store_file(area, path));
    }
  }
  return store_step(area, "delete", [&] { return status_of(::rmdir(folder.c_str()), "remove", folder); });
}

Result<std::vector<std::string>> names_in_store(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator entries(folder, error); !error && entries != fs::directory_iterator();
       entries.increment(error)) {
    names.push_back(entries->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return file_error(error.value(), "read", folder);
  std::ranges::sort(names);
  return names;
}

}  // namespace llama_gpu::plugins
