// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "plugins/manifest.h"
#include "plugins/package.h"

namespace llama_gpu::plugins {

// One plugin of a generation.
struct InstalledPlugin {
  std::string id;
  std::string version;
  std::string digest;  // of its package in the store
  bool is_enabled = false;
  std::string config = "{}";           // JSON object
  PluginPermissions permissions = {};  // those that were granted
  bool is_pinned = false;              // not updated
  friend bool operator==(const InstalledPlugin&, const InstalledPlugin&) = default;
};

// A package that must not run again, and why.
struct QuarantinedPackage {
  std::string digest;
  std::string id;
  std::string version;
  std::string reason;
  int64_t since_unix_seconds = 0;
  friend bool operator==(const QuarantinedPackage&, const QuarantinedPackage&) = default;
};

// The whole set of plugins at one time. Immutable once committed; its lock file is JSON.
struct Generation {
  uint64_t number = 0;  // 0: the empty set that is there before any change
  int64_t created_unix_seconds = 0;
  std::string reason;                    // "install acme/guard 1.2.0"
  uint64_t parent = 0;                   // that it was made from
  std::vector<InstalledPlugin> plugins;  // by id
  friend bool operator==(const Generation&, const Generation&) = default;

  // Null where the set has none of that id. Lives as long as the generation.
  const InstalledPlugin* find(std::string_view id) const;
};

// Generations of plugin sets on disk. Whatever ends the process at whatever point, the store holds the old
// generation or the new one, complete.
//
//   packages/DIGEST/...       package contents, never changed once there, read-only
//   packages/DIGEST.list      its files with their SHA-256; what DIGEST is the SHA-256 of
//   generations/N.json        lock files; N grows by one with every change
//   current                   the number of the generation that counts
//   data/PUBLISHER/NAME/      what plugins keep; never collected while the plugin is installed
//   quarantine.json           digests that must not run again
//   lock                      held by the process that may change the store
//
// One thread; one process may write (kPluginStoreBusy for a second), any number may read.
class GenerationStore {
 public:
  enum class Mode : uint8_t { kRead, kWrite };

  // Makes the folder, sweeps away what an interrupted change left (kWrite only), and checks the current
  // lock file. kPluginStoreBusy, kIoFailed, kPluginStoreInvalid for a lock file that cannot be read.
  static Result<GenerationStore> open(const std::string& folder, Mode mode);
  GenerationStore(GenerationStore&&) noexcept;
  GenerationStore& operator=(GenerationStore&&) noexcept;
  ~GenerationStore();

  // Where it is only read: as it was when the store was opened.
  const Generation& current() const;
  // All that are kept, oldest first.
  Result<std::vector<Generation>> generations() const;

  // Copies a package in, hashing again what is written; nothing to do where it is there, and a damaged one is
  // replaced. kChecksumMismatch where the folder changed meanwhile, kDiskFull.
  Status add_package(const PluginPackage& package);
  // A package that is there, its manifest read again. kNotFound.
  Result<PluginPackage> package(const std::string& digest) const;
  // Whether its bytes are still those that were added: kChecksumMismatch names the file.
  Status verify_package(const std::string& digest) const;

  // Makes `plugins` the current generation, durably, and returns it. kNotFound where a package is not there,
  // kInvalidValue for what cannot be kept. On an error current() is what the disk holds then: the old one,
  // unless the disk refused to put it back.
  Result<Generation> commit(std::vector<InstalledPlugin> plugins, const std::string& reason,
                            int64_t now_unix_seconds);
  // A new generation with the contents of an earlier one: kNotFound where it is not kept any more.
  Result<Generation> roll_back_to(uint64_t number, int64_t now_unix_seconds);
  // Removes all but the newest `num_kept` generations (the current one always stays), and packages that none
  // of them names. What plugins keep in data/ stays.
  Status collect(size_t num_kept);

  const std::vector<QuarantinedPackage>& quarantined() const;
  // Keeps the digest from running, durably; a second reason replaces the first.
  Status quarantine(QuarantinedPackage package);
  // Lets the digest run again. Nothing to do where it was not quarantined.
  Status release(const std::string& digest);

  // The plugin's own folder, made where it is missing (kWrite). kInvalidValue.
  Result<std::string> data_folder(const std::string& id);
  std::string package_folder(const std::string& digest) const;

 private:
  struct State;
  explicit GenerationStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llama_gpu::plugins
