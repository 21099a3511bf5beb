// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>

#include "base/result.h"
#include "plugins/package.h"

namespace llama_gpu::plugins {

// The packages of a store, each in a folder of its digest's name, read-only, beside it the listing of its
// files ("DIGEST.list"). A package is there whole or not at all. One thread; one process writes.
class PackageShelf {
 public:
  explicit PackageShelf(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }
  std::string package_folder(const std::string& digest) const { return folder_ + "/" + digest; }
  // Whether the package is there; its bytes are not looked at.
  bool contains(const std::string& digest) const;

  // As GenerationStore's functions of these names.
  Status add(const PluginPackage& package);
  Result<PluginPackage> read(const std::string& digest) const;
  Status verify(const std::string& digest) const;

  // Removes what interrupted changes left.
  Status sweep();
  // Removes packages of other digests than `named`.
  Status keep_only(const std::set<std::string>& named);

 private:
  Status check_contains(const std::string& digest) const;
  Status copy(const PluginPackage& package, const std::string& to) const;
  Status put_in_place(const std::string& from, const std::string& digest, bool replaces) const;
  Status remove(const std::string& digest);
  Result<std::string> make_temporary_folder(std::string_view area) const;
  Error changed_file(const std::string& digest, const std::vector<PackageFile>& actual) const;
  std::string listing_path(const std::string& digest) const { return folder_ + "/" + digest + ".list"; }

  std::string folder_;
};

}  // namespace llama_gpu::plugins
