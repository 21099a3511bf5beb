// SPDX-License-Identifier: Apache-2.0
#include "plugins/generation_store.h"

#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/strings.h"
#include "plugins/generation_json.h"
#include "plugins/package_shelf.h"
#include "plugins/store_steps.h"

namespace llama_gpu::plugins {
namespace {

constexpr uint64_t kMaxLockFileBytes = 16 << 20;
constexpr uint64_t kMaxNumberBytes = 64;
// A writer may collect a generation while it is being read; the next one is there then.
constexpr int kReadAttempts = 20;

Error bad_store(const std::string& path, std::string_view why, std::string hint = "") {
  return Error{ErrorCode::kPluginStoreInvalid, "'" + escape_line(path) + "' " + std::string(why),
               std::move(hint)};
}

bool is_missing(const Error& error) { return error.code == ErrorCode::kFileNotFound; }

// read_file's error for a file that is too large is not one of the caller's value.
Error unreadable(const Error& error, const std::string& path) {
  return error.code == ErrorCode::kInvalidValue ? bad_store(path, "is too large") : error;
}

// "12.json"; nullopt for any other name.
std::optional<uint64_t> generation_number(std::string_view file_name) {
  const auto [number, extension] = split_once(file_name, '.');
  const std::optional<int64_t> parsed = parse_integer(number);
  if (extension != "json" || !parsed || *parsed < 1 || std::to_string(*parsed) != number) return std::nullopt;
  return static_cast<uint64_t>(*parsed);
}

Result<File> lock_store(const std::string& path) {
  TRY(File lock, File::open_for_appending(path));
  if (::flock(lock.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return file_error(errno, "lock", path);
    const Result<std::string> holder = read_file(path, kMaxNumberBytes);
    return Error{ErrorCode::kPluginStoreBusy,
                 "'" + escape_line(path) + "' is held by " +
                     (holder.ok() && !holder->empty() ? "process " + escape_line(trim(*holder))
                                                      : std::string("another process")),
                 "change plugins through the server that runs, or stop it first"};
  }
  TRY_STATUS(lock.truncate(0));
  TRY_STATUS(lock.write(std::to_string(::getpid()) + "\n"));
  return lock;
}

}  // namespace

const InstalledPlugin* Generation::find(std::string_view id) const {
  const auto found = std::ranges::lower_bound(plugins, id, {}, &InstalledPlugin::id);
  return found != plugins.end() && found->id == id ? &*found : nullptr;
}

struct GenerationStore::State {
  State(std::string store_folder, Mode store_mode)
      : folder(std::move(store_folder)), mode(store_mode), shelf(folder + "/packages") {}

  std::string current_path() const { return folder + "/current"; }
  std::string quarantine_path() const { return folder + "/quarantine.json"; }
  std::string generations_folder() const { return folder + "/generations"; }
  std::string generation_path(uint64_t number) const {
    return generations_folder() + "/" + std::to_string(number) + ".json";
  }

  Status make_folders();
  Status load();
  Status sweep();
  Result<uint64_t> read_number() const;
  Result<Generation> read_generation(uint64_t number) const;
  Result<Generation> read_current() const;
  Result<std::vector<uint64_t>> numbers() const;
  Result<std::vector<QuarantinedPackage>> read_quarantine() const;
  Status write_generation(const Generation& next) const;
  void undo(const Generation& next);
  Status write_quarantine(std::vector<QuarantinedPackage> packages);

  std::string folder;
  Mode mode;
  File lock;
  PackageShelf shelf;
  Generation current;
  std::vector<QuarantinedPackage> quarantined;
};

Status GenerationStore::State::make_folders() {
  TRY_STATUS(create_directories(folder));
  // What plugins keep may be private.
  for (const std::string& part : {shelf.folder(), generations_folder(), folder + "/data"}) {
    TRY_STATUS(make_store_folder("layout", part));
  }
  return {};
}

Result<uint64_t> GenerationStore::State::read_number() const {
  const Result<std::string> text = read_file(current_path(), kMaxNumberBytes);
  if (!text.ok() && is_missing(text.error())) return uint64_t{0};
  if (!text.ok()) return unreadable(text.error(), current_path());
  const std::optional<int64_t> number = parse_integer(trim(*text));
  if (number && *number >= 1) return static_cast<uint64_t>(*number);
  return bad_store(current_path(), "is not the number of a generation",
                   "write the number of the newest file in 'generations' into it");
}

Result<Generation> GenerationStore::State::read_generation(uint64_t number) const {
  if (number == 0) return Generation{};
  const std::string path = generation_path(number);
  const Result<std::string> text = read_file(path, kMaxLockFileBytes);
  if (!text.ok()) return unreadable(text.error(), path);
  TRY(Generation generation, decode_generation(*text, path));
  if (generation.number == number) return generation;
  return bad_store(path, "holds generation " + std::to_string(generation.number));
}

Result<Generation> GenerationStore::State::read_current() const {
  uint64_t missing = 0;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    TRY(const uint64_t number, read_number());
    Result<Generation> generation = read_generation(number);
    if (generation.ok()) return generation;
    const Error& error = generation.error();
    if (error.code != ErrorCode::kPluginStoreInvalid && !is_missing(error)) return generation;
    if (!is_missing(error) || number == missing) {
      return bad_store(
          generation_path(number), "is the current generation: " + error.message,
          "write the number of an older file in 'generations' into 'current', and remove the newer "
          "files there");
    }
    missing = number;
  }
  return bad_store(current_path(), "changes faster than it can be read");
}

Result<std::vector<uint64_t>> GenerationStore::State::numbers() const {
  TRY(const std::vector<std::string> names, names_in_store(generations_folder()));
  std::vector<uint64_t> found;
  for (const std::string& name : names) {
    if (const std::optional<uint64_t> number = generation_number(name)) found.push_back(*number);
  }
  std::ranges::sort(found);
  return found;
}

Result<std::vector<QuarantinedPackage>> GenerationStore::State::read_quarantine() const {
  const Result<std::string> text = read_file(quarantine_path(), kMaxLockFileBytes);
  if (text.ok()) return decode_quarantine(*text, quarantine_path());
  if (is_missing(text.error())) return std::vector<QuarantinedPackage>();
  return unreadable(text.error(), quarantine_path());
}

Status GenerationStore::State::load() {
  TRY(current, read_current());
  TRY(quarantined, read_quarantine());
  return {};
}

Status GenerationStore::State::sweep() {
  TRY_STATUS(shelf.sweep());
  TRY(const std::vector<uint64_t> found, numbers());
  // A change writes its lock file first: one that is newer was never current. More than one of these, or
  // fewer than the current one, is nothing that an interruption leaves.
  if (!found.empty() && found.back() > current.number + 1) {
    return bad_store(generation_path(found.back()),
                     "is newer than the current generation " + std::to_string(current.number),
                     "write its number into 'current', or remove it");
  }
  if (!found.empty() && found.back() > current.number) {
    TRY_STATUS(delete_store_file("sweep", generation_path(found.back())));
  }
  for (const std::string& parent : {generations_folder(), folder}) {
    TRY(const std::vector<std::string> names, names_in_store(parent));
    for (const std::string& name : names) {
      if (name.ends_with(".new")) TRY_STATUS(delete_store_file("sweep", path_in_store(parent, name)));
    }
  }
  return {};
}

Status GenerationStore::State::write_generation(const Generation& next) const {
  const std::string encoded = encode_generation(next);
  if (encoded.size() > kMaxLockFileBytes) {
    return Error{ErrorCode::kInvalidValue, "the set of plugins takes " + format_size(encoded.size()) +
                                               " with its configurations, at most " +
                                               format_size(kMaxLockFileBytes) + " can be kept"};
  }
  TRY_STATUS(replace_store_file("generation", generation_path(next.number), encoded));
  return replace_store_file("current", current_path(), std::to_string(next.number) + "\n");
}

// As far as the disk still lets it; then what is on the disk counts.
void GenerationStore::State::undo(const Generation& next) {
  const Result<uint64_t> number = read_number();
  if (number.ok() && *number == next.number) {
    if (current.number == 0) {
      (void)delete_store_file("undo", current_path());
      (void)sync_store_folder("undo", folder);
    } else {
      (void)replace_store_file("undo", current_path(), std::to_string(current.number) + "\n");
    }
  }
  Result<Generation> counts = read_current();
  if (counts.ok()) current = *std::move(counts);
  if (current.number != next.number) (void)delete_store_file("undo", generation_path(next.number));
}

Status GenerationStore::State::write_quarantine(std::vector<QuarantinedPackage> packages) {
  Status status = replace_store_file("quarantine", quarantine_path(), encode_quarantine(packages));
  if (status.ok()) {
    quarantined = std::move(packages);
    return {};
  }
  Result<std::vector<QuarantinedPackage>> counts = read_quarantine();
  if (counts.ok()) quarantined = *std::move(counts);
  return status;
}

GenerationStore::GenerationStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
GenerationStore::GenerationStore(GenerationStore&&) noexcept = default;
GenerationStore& GenerationStore::operator=(GenerationStore&&) noexcept = default;
GenerationStore::~GenerationStore() = default;

Result<GenerationStore> GenerationStore::open(const std::string& folder, Mode mode) {
  auto state = std::make_unique<State>(folder, mode);
  if (mode == Mode::kWrite) {
    TRY_STATUS(state->make_folders());
    TRY(state->lock, lock_store(folder + "/lock"));
  }
  TRY_STATUS(state->load());
  if (mode == Mode::kWrite) TRY_STATUS(state->sweep());
  return GenerationStore(std::move(state));
}

const Generation& GenerationStore::current() const { return state_->current; }

Result<std::vector<Generation>> GenerationStore::generations() const {
  TRY(const std::vector<uint64_t> numbers, state_->numbers());
  std::vector<Generation> generations;
  for (const uint64_t number : numbers) {
    if (number > state_->current.number) continue;  // of a change that runs
    Result<Generation> generation = state_->read_generation(number);
    if (!generation.ok() && is_missing(generation.error())) continue;  // collected meanwhile
    if (!generation.ok()) return std::move(generation).error();
    generations.push_back(*std::move(generation));
  }
  return generations;
}

Status GenerationStore::add_package(const PluginPackage& package) {
  CHECK(state_->mode == Mode::kWrite, "a plugin store that was opened to be read is to be changed");
  return state_->shelf.add(package);
}

Result<PluginPackage> GenerationStore::package(const std::string& digest) const {
  return state_->shelf.read(digest);
}

Status GenerationStore::verify_package(const std::string& digest) const {
  return state_->shelf.verify(digest);
}

Result<Generation> GenerationStore::commit(std::vector<InstalledPlugin> plugins, const std::string& reason,
                                           int64_t now_unix_seconds) {
  CHECK(state_->mode == Mode::kWrite, "a plugin store that was opened to be read is to be changed");
  std::ranges::sort(plugins, {}, &InstalledPlugin::id);
  TRY_STATUS(check_installed_plugins(plugins));
  for (const InstalledPlugin& plugin : plugins) {
    if (state_->shelf.contains(plugin.digest)) continue;
    return Error{ErrorCode::kNotFound, "the plugin store has no package of '" + plugin.id + "' " +
                                           plugin.version + ", " + plugin.digest};
  }
  Generation next{.number = state_->current.number + 1,
                  .created_unix_seconds = now_unix_seconds,
                  .reason = repair_utf8(reason),
                  .parent = state_->current.number,
                  .plugins = std::move(plugins)};
  if (const Status status = state_->write_generation(next); !status.ok()) {
    state_->undo(next);
    return status.error();
  }
  state_->current = next;
  return next;
}

Result<Generation> GenerationStore::roll_back_to(uint64_t number, int64_t now_unix_seconds) {
  const bool is_known = number < state_->current.number || number == state_->current.number;
  Result<Generation> earlier =
      is_known ? state_->read_generation(number) : Error{ErrorCode::kFileNotFound, "never made"};
  if (!earlier.ok() && is_missing(earlier.error())) {
    return Error{ErrorCode::kNotFound, "generation " + std::to_string(number) + " is not kept",
                 "choose one of those that are listed"};
  }
  if (!earlier.ok()) return std::move(earlier).error();
  return commit(std::move(earlier->plugins), "roll back to generation " + std::to_string(number),
                now_unix_seconds);
}

Status GenerationStore::collect(size_t num_kept) {
  CHECK(state_->mode == Mode::kWrite, "a plugin store that was opened to be read is to be changed");
  TRY(const std::vector<uint64_t> numbers, state_->numbers());
  const size_t num_removed = numbers.size() - std::min(numbers.size(), std::max<size_t>(num_kept, 1));
  for (size_t i = 0; i < num_removed; ++i) {
    TRY_STATUS(delete_store_file("collect_generation", state_->generation_path(numbers[i])));
  }
  // Before their packages: no generation that is kept may lack one.
  if (num_removed > 0) TRY_STATUS(sync_store_folder("collect_generation", state_->generations_folder()));
  std::set<std::string> named;
  TRY(const std::vector<Generation> kept, generations());
  for (const Generation& generation : kept) {
    for (const InstalledPlugin& plugin : generation.plugins) named.insert(plugin.digest);
  }
  return state_->shelf.keep_only(named);
}

const std::vector<QuarantinedPackage>& GenerationStore::quarantined() const { return state_->quarantined; }

Status GenerationStore::quarantine(QuarantinedPackage package) {
  CHECK(state_->mode == Mode::kWrite, "a plugin store that was opened to be read is to be changed");
  TRY_STATUS(check_quarantined_package(package));
  package.reason = repair_utf8(package.reason);
  std::vector<QuarantinedPackage> packages = state_->quarantined;
  std::erase_if(packages, [&](const QuarantinedPackage& other) { return other.digest == package.digest; });
  packages.push_back(std::move(package));
  return state_->write_quarantine(std::move(packages));
}

Status GenerationStore::release(const std::string& digest) {
  CHECK(state_->mode == Mode::kWrite, "a plugin store that was opened to be read is to be changed");
  std::vector<QuarantinedPackage> packages = state_->quarantined;
  const auto num_erased =
      std::erase_if(packages, [&](const QuarantinedPackage& other) { return other.digest == digest; });
  if (num_erased == 0) return {};
  return state_->write_quarantine(std::move(packages));
}

Result<std::string> GenerationStore::data_folder(const std::string& id) {
  if (!is_plugin_id(id)) {
    return Error{ErrorCode::kInvalidValue, "'" + escape_line(id, 200) + "' is not a plugin's id"};
  }
  const std::string data = state_->folder + "/data/";
  if (state_->mode == Mode::kWrite) {
    TRY_STATUS(make_store_folder("data", data + std::string(split_once(id, '/').first)));
    TRY_STATUS(make_store_folder("data", data + id));
  }
  return data + id;
}

std::string GenerationStore::package_folder(const std::string& digest) const {
  return state_->shelf.package_folder(digest);
}

}  // namespace llama_gpu::plugins
