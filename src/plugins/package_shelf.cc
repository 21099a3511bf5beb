// SPDX-License-Identifier: Apache-2.0
#include "plugins/package_shelf.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>

#include "base/file.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "plugins/package_files.h"
#include "plugins/store_steps.h"

namespace llama_gpu::plugins {
namespace {

constexpr std::string_view kTemporaryPrefix = ".tmp-";
constexpr std::string_view kListingSuffix = ".list";
constexpr uint64_t kMaxListingBytes = 128 << 20;

// For packages that were within the limits when they were added.
PackageLimits no_package_limits() {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  return {.total_bytes = kMax, .num_files = kMax, .depth = 4096, .name_bytes = kMax};
}

Error changed_source(const std::string& path) {
  return Error{ErrorCode::kChecksumMismatch,
               "'" + escape_line(path) + "' changed while it was being installed",
               "wait until nothing writes to the folder any more, and install again"};
}

Status copy_package_file(const PluginPackage& package, const PackageFile& file, const std::string& to) {
  Result<supervisor::UniqueFd> source = open_package_file(package.folder, file.path);
  if (!source.ok()) return changed_source(file.path);
  TRY(File copy, File::create(to));
  Sha256 digest;
  const Status status = store_step("package", "write", [&] {
    return read_chunks(source->get(), package.folder + "/" + file.path, [&](std::string_view chunk) {
      digest.add(chunk);
      return copy.write(chunk);
    });
  });
  TRY_STATUS(status);
  if (digest.finish() != file.sha256) return changed_source(file.path);
  if (::fchmod(copy.fd(), file.is_executable ? 0555 : 0444) != 0) return file_error(errno, "write", to);
  return store_step("package", "sync", [&] { return copy.sync(); });
}

// All folders that files lie in, parents first; the package's own is "".
std::set<std::string> folders_of(const std::vector<PackageFile>& files) {
  std::set<std::string> folders = {""};
  for (const PackageFile& file : files) {
    for (size_t slash = file.path.find('/'); slash != std::string::npos;
         slash = file.path.find('/', slash + 1)) {
      folders.insert(file.path.substr(0, slash));
    }
  }
  return folders;
}

std::map<std::string_view, std::string_view> lines_by_path(std::string_view listing) {
  std::map<std::string_view, std::string_view> lines;
  for (const std::string_view line : split(listing, '\n')) {
    // SHA256 x|- SIZE PATH
    const std::string_view after_mode = split_once(split_once(line, ' ').second, ' ').second;
    if (!line.empty()) lines.emplace(split_once(after_mode, ' ').second, line);
  }
  return lines;
}

}  // namespace

bool PackageShelf::contains(const std::string& digest) const {
  // Not a path that leads elsewhere.
  std::error_code ignored;
  return is_sha256(digest) && std::filesystem::is_directory(package_folder(digest), ignored);
}

Status PackageShelf::check_contains(const std::string& digest) const {
  if (contains(digest)) return {};
  return Error{ErrorCode::kNotFound, "the plugin store has no package '" + escape_line(digest, 100) + "'",
               "install the plugin again"};
}

Result<std::string> PackageShelf::make_temporary_folder(std::string_view area) const {
  std::string folder = folder_ + "/" + std::string(kTemporaryPrefix) + "XXXXXX";
  TRY_STATUS(store_step(area, "make_folder", [&]() -> Status {
    if (::mkdtemp(folder.data()) != nullptr) return {};
    return file_error(errno, "make the folder", folder);
  }));
  return folder;
}

Status PackageShelf::add(const PluginPackage& package) {
  bool replaces = false;
  if (contains(package.digest)) {
    Status verified = verify(package.digest);
    if (verified.ok()) return {};
    if (verified.error().code != ErrorCode::kChecksumMismatch) return verified;
    replaces = true;
  }
  TRY(const std::string copy_folder, make_temporary_folder("package"));
  const Status status = [&]() -> Status {
    TRY_STATUS(copy(package, copy_folder));
    TRY_STATUS(replace_store_file("listing", listing_path(package.digest), package_listing(package.files)));
    return put_in_place(copy_folder, package.digest, replaces);
  }();
  // Where the package was renamed there is nothing; a rest is swept away later.
  if (!status.ok() || replaces) (void)delete_store_tree("package_rest", copy_folder);
  return status;
}

Status PackageShelf::copy(const PluginPackage& package, const std::string& to) const {
  const std::set<std::string> folders = folders_of(package.files);
  for (const std::string& folder : folders) {
    const std::string path = path_in_store(to, folder);
    if (!folder.empty() && ::mkdir(path.c_str(), 0700) != 0)
      return file_error(errno, "make the folder", path);
  }
  for (const PackageFile& file : package.files) {
    TRY_STATUS(copy_package_file(package, file, to + "/" + file.path));
  }
  for (const std::string& folder : folders) {
    const std::string path = path_in_store(to, folder);
    if (::chmod(path.c_str(), 0555) != 0) return file_error(errno, "write", path);
    TRY_STATUS(sync_store_folder("package_folder", path));
  }
  // What is there now, and not only what was meant to be written.
  TRY(const std::vector<PackageFile> written, scan_package_files(to, no_package_limits()));
  if (sha256_of(package_listing(written)) == package.digest) return {};
  return Error{ErrorCode::kChecksumMismatch,
               "the copy of '" + escape_line(package.folder) + "' is not what was copied",
               "check the disk, and install again"};
}

Status PackageShelf::put_in_place(const std::string& from, const std::string& digest, bool replaces) const {
  const std::string to = package_folder(digest);
  if (!replaces) return rename_in_store("package", from, to);
  // At once, so that there is never none.
  TRY_STATUS(store_step("package", "exchange", [&]() -> Status {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return {};
    return file_error(errno, "write", to);
  }));
  return sync_store_folder("package", folder_);
}

Result<PluginPackage> PackageShelf::read(const std::string& digest) const {
  TRY_STATUS(check_contains(digest));
  TRY(PluginPackage package, read_package(package_folder(digest), no_package_limits()));
  if (package.digest != digest) return changed_file(digest, package.files);
  return package;
}

Status PackageShelf::verify(const std::string& digest) const {
  TRY_STATUS(check_contains(digest));
  const Result<std::vector<PackageFile>> files =
      scan_package_files(package_folder(digest), no_package_limits());
  // Such as a link where a file was.
  if (!files.ok() && files.error().code == ErrorCode::kPluginInvalid) {
    return Error{ErrorCode::kChecksumMismatch, files.error().message, "install the plugin again"};
  }
  if (!files.ok()) return files.error();
  if (sha256_of(package_listing(*files)) == digest) return {};
  return changed_file(digest, *files);
}

Error PackageShelf::changed_file(const std::string& digest, const std::vector<PackageFile>& actual) const {
  const auto error = [&](std::string_view what) {
    return Error{ErrorCode::kChecksumMismatch,
                 "in package " + digest.substr(0, 12) + " of the plugin store, " + std::string(what),
                 "install the plugin again"};
  };
  const Result<std::string> listing = read_file(listing_path(digest), kMaxListingBytes);
  if (!listing.ok() || sha256_of(*listing) != digest) return error("the files are not those that were added");
  const std::string actual_listing = package_listing(actual);
  auto actual_lines = lines_by_path(actual_listing);
  for (const auto& [path, line] : lines_by_path(*listing)) {
    const auto found = actual_lines.find(path);
    if (found == actual_lines.end()) return error("'" + std::string(path) + "' is missing");
    if (found->second != line) return error("'" + std::string(path) + "' has changed");
    actual_lines.erase(found);
  }
  return error("'" + std::string(actual_lines.begin()->first) + "' was added");
}

Status PackageShelf::sweep() {
  TRY(const std::vector<std::string> names, names_in_store(folder_));
  for (const std::string& name : names) {
    const std::string path = folder_ + "/" + name;
    if (name.starts_with(kTemporaryPrefix)) {
      TRY_STATUS(delete_store_tree("sweep", path));
    } else if (name.ends_with(".new")) {
      TRY_STATUS(delete_store_file("sweep", path));
    } else if (name.ends_with(kListingSuffix) &&
               !contains(name.substr(0, name.size() - kListingSuffix.size()))) {
      TRY_STATUS(delete_store_file("sweep", path));
    }
  }
  return {};
}

Status PackageShelf::keep_only(const std::set<std::string>& named) {
  TRY(const std::vector<std::string> names, names_in_store(folder_));
  for (const std::string& name : names) {
    if (contains(name) && !named.contains(name)) TRY_STATUS(remove(name));
  }
  return {};
}

Status PackageShelf::remove(const std::string& digest) {
  // Onto an empty folder: gone at once, and swept away later where its removal ends early.
  TRY(const std::string gone, make_temporary_folder("collect"));
  TRY_STATUS(rename_in_store("collect", package_folder(digest), gone));
  TRY_STATUS(delete_store_tree("collect_package", gone));
  TRY_STATUS(delete_store_file("collect_listing", listing_path(digest)));
  return sync_store_folder("collect_done", folder_);
}

}  // namespace llama_gpu::plugins
