// SPDX-License-Identifier: Apache-2.0
#include "app/plugin_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "app/version.h"
#include "base/file.h"
#include "base/strings.h"
#include "plugins/package.h"
#include "plugins/plugin_manager.h"

namespace llama_gpu::app {
namespace {

using plugins::FilterableText;
using plugins::PluginChange;
using plugins::PluginManager;
using plugins::PluginStatus;

// A folder that is gone with this.
class TrialFolder {
 public:
  static Result<TrialFolder> make() {
    std::string path = (std::filesystem::temp_directory_path() / "llama-gpu-plugin-test-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) return file_error(errno, "make the folder", path);
    return TrialFolder(std::move(path));
  }
  TrialFolder(TrialFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TrialFolder& operator=(TrialFolder&&) = delete;
  ~TrialFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit TrialFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

std::string described(const FilterableText& before, const FilterableText& after) {
  if (before == after) return "passed as it was";
  const auto* text = std::get_if<std::string>(&after);
  if (text != nullptr) return "replaced by '" + escape_line(*text, 200) + "'";
  std::string shown = "replaced by";
  for (const auto& message : std::get<std::vector<text::ChatMessage>>(after))
    shown += " " + escape_line(message.role, 40) + ": '" + escape_line(message.content, 200) + "'";
  return shown;
}

// One plugin's way through the steps.
class Trial {
 public:
  Trial(PluginManager& manager, TrialOptions options) : manager_(manager), options_(std::move(options)) {}

  // Each returns whether the trial goes on.
  bool read() {
    const auto package = plugins::read_package(options_.folder);
    if (!package.ok()) return fail("read the package", package.error());
    id_ = package->manifest.id;
    is_filter_ = std::ranges::count(package->manifest.capabilities, plugins::Capability::kRequestFilter) > 0;
    return pass("read the package", fmt::format("{} {}, {} files", id_, to_string(package->manifest.version),
                                                package->files.size()));
  }

  bool start() {
    const auto done = apply({.kind = PluginChange::Kind::kInstall,
                             .source = std::filesystem::absolute(options_.folder).string(),
                             .allows_unsigned = true});
    return done.ok() ? pass("start and self-test", layers()) : fail("start and self-test", done.error());
  }

  bool filter() {
    if (!is_filter_) return true;
    return filter_one("filter a conversation", std::vector<text::ChatMessage>{{"user", options_.message}}) &&
           filter_one("filter a text", options_.message);
  }

  bool reload() {
    const auto done = apply({.kind = PluginChange::Kind::kReload, .plugin = id_});
    return done.ok() ? pass("reload", "") : fail("reload", done.error());
  }

  bool look() {
    const auto status = manager_.find(id_);
    if (!status.ok()) return fail("stay active", status.error());
    report_.log = status->log_tail;
    const std::string state(plugin_state_name(status->state));
    if (status->state != plugins::PluginState::kActive)
      return fail("stay active", {ErrorCode::kPluginFailed, "it is " + state + ": " + status->reason});
    return pass("stay active", format_size(status->memory_bytes) + " of memory");
  }

  bool stop() {
    manager_.stop();
    return pass("stop", "");
  }

  TrialReport take_report() { return std::move(report_); }

 private:
  Result<plugins::Generation> apply(PluginChange change) {
    const auto promise = std::make_shared<std::promise<Result<plugins::Generation>>>();
    auto future = promise->get_future();
    manager_.apply(std::move(change),
                   [promise](Result<plugins::Generation> done) { promise->set_value(std::move(done)); });
    return future.get();
  }

  bool filter_one(const std::string& name, const FilterableText& text) {
    const uint64_t failures_before = num_failures();
    const auto promise = std::make_shared<std::promise<Result<FilterableText>>>();
    auto future = promise->get_future();
    manager_.filter_request({.request_id = "trial", .model = "trial", .text = text},
                            [promise](Result<FilterableText> done) { promise->set_value(std::move(done)); });
    const Result<FilterableText> filtered = future.get();
    // Where it fails open the request goes on, and all looks well.
    if (filtered.ok() && num_failures() > failures_before) {
      return fail(name, {ErrorCode::kPluginFailed, "the filter failed; the request went on as it was",
                         "its last log lines say more"});
    }
    if (filtered.ok()) return pass(name, described(text, *filtered));
    // To refuse is an answer like any other.
    if (filtered.error().code == ErrorCode::kPluginRejected) return pass(name, filtered.error().message);
    return fail(name, filtered.error());
  }

  uint64_t num_failures() const {
    const auto status = manager_.find(id_);
    return status.ok() ? status->failures : 0;
  }

  std::string layers() const {
    const auto status = manager_.find(id_);
    std::string missing;
    if (!status.ok()) return missing;
    for (const plugins::LayerReport& layer : status->sandbox) {
      if (!layer.is_active)
        missing +=
            fmt::format("{}{}", missing.empty() ? "not in force: " : ", ", sandbox_layer_name(layer.layer));
    }
    return missing.empty() ? "in the sandbox" : missing;
  }

  bool pass(std::string name, std::string detail) {
    report_.steps.push_back({std::move(name), true, std::move(detail)});
    return true;
  }
  bool fail(std::string name, const Error& error) {
    const std::string hint = error.hint.empty() ? "" : " (" + error.hint + ")";
    report_.steps.push_back({std::move(name), false, error.message + hint});
    return false;
  }

  PluginManager& manager_;
  const TrialOptions options_;
  TrialReport report_;
  std::string id_;
  bool is_filter_ = false;
};

}  // namespace

Result<TrialReport> try_plugin(const TrialOptions& options) {
  TRY(const TrialFolder folder, TrialFolder::make());
  plugins::PluginManagerOptions manager_options;
  manager_options.folder = folder.path();
  manager_options.worker_program = options.worker_program;
  TRY(manager_options.host_version, plugins::parse_version(program_version()));
  TRY(const std::unique_ptr<PluginManager> manager, PluginManager::start(std::move(manager_options)));
  Trial trial(*manager, options);
  const bool is_good = trial.read() && trial.start() && trial.filter() && trial.reload() && trial.look();
  if (is_good) {
    trial.stop();
  } else {
    manager->stop();
  }
  return trial.take_report();
}

}  // namespace llama_gpu::app
