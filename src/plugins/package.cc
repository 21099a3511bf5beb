// SPDX-License-Identifier: Apache-2.0
#include "plugins/package.h"

#include <algorithm>
#include <utility>

#include "base/sha256.h"
#include "base/strings.h"
#include "plugins/json_text.h"
#include "plugins/package_files.h"

namespace llama_gpu::plugins {
namespace {

constexpr uint64_t kMaxSchemaBytes = 256 << 10;

const PackageFile* find_file(const std::vector<PackageFile>& files, std::string_view path) {
  const auto found = std::ranges::lower_bound(files, path, {}, &PackageFile::path);
  return found != files.end() && found->path == path ? &*found : nullptr;
}

Error missing_file(const std::string& folder, std::string_view path, std::string_view why) {
  return Error{ErrorCode::kPluginInvalid,
               "'" + escape_line(folder) + "' has no file '" + escape_line(path) + "', " + std::string(why)};
}

Status read_schema(const std::vector<PackageFile>& files, const std::string& folder,
                   PluginManifest& manifest) {
  const std::string& path = manifest.config_schema_file;
  if (path.empty()) return {};
  const PackageFile* const file = find_file(files, path);
  if (file == nullptr) return missing_file(folder, path, "which its manifest names as config_schema_file");
  TRY(std::string text, read_package_text(folder, *file, kMaxSchemaBytes));
  TRY_STATUS(check_json_object(text, path));
  manifest.config_schema = std::move(text);
  return {};
}

Status check_command(const std::vector<PackageFile>& files, const PluginManifest& manifest) {
  const std::string& program = manifest.command.front();
  const PackageFile* const file = find_file(files, program);
  if (file != nullptr && file->is_executable) return {};
  if (file != nullptr) {
    return Error{ErrorCode::kPluginInvalid, "the command's program '" + program + "' is not executable",
                 "make it executable with `chmod +x`"};
  }
  if (std::ranges::find(kPluginInterpreters, program) != kPluginInterpreters.end()) return {};
  return Error{ErrorCode::kPluginInvalid, "the command's program '" + program +
                                              "' is no file of the package and none of the interpreters " +
                                              join(kPluginInterpreters, ", ") +
                                              did_you_mean(program, kPluginInterpreters)};
}

}  // namespace

Result<PluginPackage> read_package(const std::string& folder, const PackageLimits& limits) {
  PluginPackage package{.folder = folder, .manifest = {}, .files = {}, .digest = ""};
  TRY(package.files, scan_package_files(folder, limits));
  const PackageFile* const file = find_file(package.files, kManifestName);
  if (file == nullptr) return missing_file(folder, kManifestName, "which describes a plugin");
  TRY(const std::string toml, read_package_text(folder, *file, kMaxManifestBytes));
  TRY(package.manifest, parse_manifest(toml, kManifestName));
  TRY_STATUS(read_schema(package.files, folder, package.manifest));
  TRY_STATUS(check_command(package.files, package.manifest));
  package.digest = sha256_of(package_listing(package.files));
  return package;
}

}  // namespace llama_gpu::plugins
