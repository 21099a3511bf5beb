// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/package.h"
#include "supervisor/unique_fd.h"

// The bytes of a package folder, whatever they mean. Nothing here follows a link.
namespace llama_gpu::plugins {

// Whether `path` may name a file of a package: relative, not too long, no part that is empty, "." or "..",
// nothing that a terminal would not show as it is, no backslash.
bool is_package_path(std::string_view path);

// All files below `folder`, by path, each read and hashed. kPluginInvalid as read_package says it.
Result<std::vector<PackageFile>> scan_package_files(const std::string& folder, const PackageLimits& limits);

// One line for each file, "SHA256 x|- SIZE PATH"; its SHA-256 is the package's digest.
std::string package_listing(const std::vector<PackageFile>& files);

// Opens a plain file of a package. kPluginInvalid where there is a link, a folder or a device instead.
// REQUIRES: is_package_path(path).
Result<supervisor::UniqueFd> open_package_file(const std::string& folder, const std::string& path);

// Calls `take` with each piece of what is left to read, until it returns an error.
Status read_chunks(int fd, const std::string& path, const std::function<Status(std::string_view)>& take);

// A small text file of a package, which has to be the one that was scanned. kPluginInvalid where it has
// changed or is larger than `max_bytes`.
Result<std::string> read_package_text(const std::string& folder, const PackageFile& file, uint64_t max_bytes);

}  // namespace llama_gpu::plugins
