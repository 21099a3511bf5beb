// SPDX-License-Identifier: Apache-2.0
#include "plugins/change_planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "plugins/dependency_check.h"

namespace llama_gpu::plugins {
namespace {

using Kind = PluginChange::Kind;
using PlannerJson = nlohmann::ordered_json;

std::vector<std::string> new_paths(const std::vector<std::string>& wanted,
                                   const std::vector<std::string>& granted, const std::string& what) {
  std::vector<std::string> sentences;
  for (const std::string& path : wanted) {
    if (std::count(granted.begin(), granted.end(), path) == 0)
      sentences.push_back(fmt::format("{} '{}'", what, path));
  }
  return sentences;
}

std::vector<std::string> new_permissions(const PluginPermissions& wanted, const PluginPermissions& granted) {
  std::vector<std::string> all = new_paths(wanted.read_paths, granted.read_paths, "may read");
  for (std::string& sentence : new_paths(wanted.write_paths, granted.write_paths, "may write"))
    all.push_back(std::move(sentence));
  if (wanted.network && !granted.network) all.emplace_back("may use the network");
  return all;
}

bool is_same_work(const InstalledPlugin& a, const InstalledPlugin& b) {
  return a.digest == b.digest && a.config == b.config && a.permissions == b.permissions;
}

// Plans one change over the current generation.
class ChangePlanner {
 public:
  ChangePlanner(const GenerationStore& store, const Version& host_version)
      : store_(store), host_version_(host_version), current_(store.current()) {
    planned_.plugins = current_.plugins;
  }

  Result<PlannedChange> plan(const PluginChange& change) {
    planned_.reason_code = plugin_change_name(change.kind);
    TRY_STATUS(plan_kind(change));
    TRY_STATUS(check_quarantine());
    TRY_STATUS(check_dependencies());
    return std::move(planned_);
  }

  PlannedChange replace(const InstalledPlugin& plugin, std::string reason) {
    planned_.reason_code = "automatic_rollback";
    planned_.reason = std::move(reason);
    if (InstalledPlugin* row = row_of(plugin.id)) {
      add_step("rollback", plugin.id, row->version, plugin.version);
      *row = plugin;
    }
    (void)check_dependencies();  // reads the manifests
    return std::move(planned_);
  }

 private:
  Status plan_kind(const PluginChange& change) {
    switch (change.kind) {
      case Kind::kInstall:
        return plan_install(change);
      case Kind::kRollback:
        return plan_rollback(change);
      case Kind::kEnable:
      case Kind::kDisable:
      case Kind::kReload:
      case Kind::kConfigure:
      case Kind::kRemove:
        return plan_one(change);
      case Kind::kRelease:
        break;
    }
    CHECK(false, "a release makes no new set");
  }

  InstalledPlugin* row_of(const std::string& id) {
    const auto row = std::find_if(planned_.plugins.begin(), planned_.plugins.end(),
                                  [&](const InstalledPlugin& plugin) { return plugin.id == id; });
    return row == planned_.plugins.end() ? nullptr : &*row;
  }

  void add_step(std::string action, const std::string& id, std::string from, std::string to) {
    planned_.plan.steps.push_back({std::move(action), id, std::move(from), std::move(to)});
  }

  // ---- install

  // A folder that cannot be read is the fault of whoever named it.
  static Result<PluginPackage> read_source(const std::string& folder) {
    Result<PluginPackage> package = read_package(folder);
    if (package.ok()) return package;
    Error error = std::move(package).error();
    const bool is_of_the_folder = error.code == ErrorCode::kFileNotFound ||
                                  error.code == ErrorCode::kNotAFile ||
                                  error.code == ErrorCode::kPermissionDenied;
    if (is_of_the_folder) error.code = ErrorCode::kPluginInvalid;
    return error;
  }

  Status plan_install(const PluginChange& change) {
    TRY(PluginPackage package, read_source(change.source));
    const PluginManifest& manifest = package.manifest;
    TRY(const Version host_api, parse_version(kHostApiVersion));
    TRY_STATUS(check_host_api(manifest, host_api));
    TRY_STATUS(check_not_quarantined(manifest.id, to_string(manifest.version), package.digest));
    warn_of(manifest);
    InstalledPlugin installed{.id = manifest.id,
                              .version = to_string(manifest.version),
                              .digest = package.digest,
                              .is_enabled = true,
                              .config = manifest.default_config,
                              .permissions = manifest.permissions};
    const InstalledPlugin* old = current_.find(manifest.id);
    planned_.plan.new_permissions =
        new_permissions(manifest.permissions, old != nullptr ? old->permissions : PluginPermissions());
    if (old != nullptr) {
      TRY_STATUS(keep_of_old(*old, manifest, installed));
      *row_of(old->id) = installed;
    } else {
      add_step("install", installed.id, "", installed.version);
      planned_.reason = "install " + installed.id + " " + installed.version;
      const auto place = std::find_if(planned_.plugins.begin(), planned_.plugins.end(),
                                      [&](const InstalledPlugin& p) { return p.id > installed.id; });
      planned_.plugins.insert(place, installed);
    }
    planned_.manifests.emplace(package.digest, manifest);
    planned_.package = std::move(package);
    return {};
  }

  Status keep_of_old(const InstalledPlugin& old, const PluginManifest& manifest, InstalledPlugin& installed) {
    if (old.is_pinned && old.digest != installed.digest) {
      return Error{ErrorCode::kPluginIncompatible,
                   "the plugin '" + old.id + "' is pinned to version " + old.version, "unpin it first"};
    }
    installed.is_enabled = old.is_enabled;
    installed.is_pinned = old.is_pinned;
    // What somebody set stays; what was a default follows the new version's.
    const Result<PluginPackage> package = store_.package(old.digest);
    const bool was_default = package.ok() && package->manifest.default_config == old.config;
    if (!was_default) installed.config = old.config;
    if (old == installed) {
      // It is there already, unless its files were lost or changed: then they are put back.
      if (!store_.verify_package(old.digest).ok()) planned_.restarts.insert(old.id);
      return {};
    }
    TRY(const Version old_version, parse_version(old.version));
    const std::string action = manifest.version < old_version ? "downgrade" : "update";
    add_step(action, old.id, old.version, installed.version);
    planned_.reason = action + " " + old.id + " " + old.version + " to " + installed.version;
    planned_.reason_code = "update";
    return {};
  }

  void warn_of(const PluginManifest& manifest) {
    planned_.plan.warnings.push_back("the package of '" + manifest.id + "' is unsigned");
    const std::string host = to_string(host_version_);
    const auto& tested = manifest.tested_with;
    if (!tested.empty() && std::count(tested.begin(), tested.end(), host) == 0)
      planned_.plan.warnings.push_back("'" + manifest.id + "' was not tested with version " + host +
                                       " of this server");
  }

  // ---- changes of one plugin that is there

  Status plan_one(const PluginChange& change) {
    InstalledPlugin* row = row_of(change.plugin);
    if (row == nullptr) return not_found(change.plugin);
    const std::string action(plugin_change_name(change.kind));
    planned_.reason = action + " " + row->id + " " + row->version;
    switch (change.kind) {
      case Kind::kEnable:
        if (row->is_enabled) return {};
        row->is_enabled = true;
        break;
      case Kind::kDisable:
        if (!row->is_enabled) return {};
        row->is_enabled = false;
        break;
      case Kind::kReload:
        TRY_STATUS(plan_reload(*row));
        break;
      case Kind::kConfigure:
        TRY_STATUS(check_config(change.config));
        if (row->config == change.config) return {};
        row->config = change.config;
        break;
      default:
        add_step(action, row->id, row->version, "");
        std::erase_if(planned_.plugins, [&](const InstalledPlugin& p) { return p.id == change.plugin; });
        return {};
    }
    add_step(action, row->id, row->version, row->version);
    return {};
  }

  Status plan_reload(const InstalledPlugin& row) {
    if (!row.is_enabled) {
      return Error{ErrorCode::kInvalidValue,
                   "the plugin '" + row.id +
                       "' is disabled, so there is nothing to "
                       "reload",
                   "enable it"};
    }
    planned_.restarts.insert(row.id);
    return {};
  }

  static Status check_config(const std::string& config) {
    if (PlannerJson::parse(config, nullptr, /*allow_exceptions=*/false).is_object()) return {};
    return Error{ErrorCode::kInvalidValue, "a plugin's config must be a JSON object", "", "config"};
  }

  Error not_found(std::string_view id) const {
    std::vector<std::string> known;
    known.reserve(current_.plugins.size());
    for (const InstalledPlugin& plugin : current_.plugins) known.push_back(plugin.id);
    return plugin_not_found(id, known);
  }

  // ---- rollback

  Status plan_rollback(const PluginChange& change) {
    if (!change.generation && current_.number == 0)
      return Error{ErrorCode::kInvalidValue, "there is no earlier generation of the plugin set"};
    const uint64_t number = change.generation.value_or(current_.parent);
    planned_.reason = "roll back to generation " + std::to_string(number);
    if (number == current_.number) return {};
    planned_.plugins.clear();
    if (number != 0) {
      TRY(const std::vector<Generation> kept, store_.generations());
      const auto found = std::find_if(kept.begin(), kept.end(), [&](const Generation& generation) {
        return generation.number == number;
      });
      if (found == kept.end()) {
        return Error{ErrorCode::kNotFound,
                     "generation " + std::to_string(number) + " of the plugin set is not kept",
                     "list the generations that are", "generation"};
      }
      planned_.plugins = found->plugins;
      planned_.roll_back_to = number;
    }
    add_rollback_steps();
    return {};
  }

  void add_rollback_steps() {
    for (const InstalledPlugin& old : current_.plugins) {
      const InstalledPlugin* row = row_of(old.id);
      if (row == nullptr) {
        add_step("remove", old.id, old.version, "");
      } else if (!(*row == old)) {
        const bool is_other = row->digest != old.digest || row->is_enabled == old.is_enabled;
        const std::string toggled = row->is_enabled ? "enable" : "disable";
        add_step(is_other ? "rollback" : toggled, old.id, old.version, row->version);
      }
    }
    for (const InstalledPlugin& row : planned_.plugins) {
      const InstalledPlugin* old = current_.find(row.id);
      if (old == nullptr) add_step("install", row.id, "", row.version);
      const PluginPermissions granted = old != nullptr ? old->permissions : PluginPermissions();
      for (std::string& permission : new_permissions(row.permissions, granted))
        planned_.plan.new_permissions.push_back(row.id + ": " + permission);
    }
  }

  // ---- checks of the new set

  // Only what is to start: a set may hold what is quarantined.
  Status check_quarantine() {
    for (const InstalledPlugin& plugin : difference(current_, planned_).starts)
      TRY_STATUS(check_not_quarantined(plugin.id, plugin.version, plugin.digest));
    return {};
  }

  Status check_not_quarantined(const std::string& id, const std::string& version,
                               const std::string& digest) const {
    for (const QuarantinedPackage& bad : store_.quarantined()) {
      if (bad.digest != digest) continue;
      return Error{ErrorCode::kPluginQuarantined,
                   fmt::format("'{}' {} must not run again: {}", id, version, bad.reason),
                   "install another version, or release it from quarantine"};
    }
    return {};
  }

  void read_manifests(const std::vector<InstalledPlugin>& plugins) {
    for (const InstalledPlugin& plugin : plugins) {
      if (planned_.manifests.contains(plugin.digest)) continue;
      if (Result<PluginPackage> package = store_.package(plugin.digest); package.ok())
        planned_.manifests.emplace(plugin.digest, std::move(package->manifest));
    }
  }

  ResolvedSet resolve(const std::vector<InstalledPlugin>& plugins) const {
    std::vector<SetMember> members;
    members.reserve(plugins.size());
    for (const InstalledPlugin& plugin : plugins) {
      const auto manifest = planned_.manifests.find(plugin.digest);
      const bool is_known = manifest != planned_.manifests.end();
      members.push_back({plugin.id, plugin.is_enabled, is_known ? &manifest->second : nullptr});
    }
    return resolve_set(members);
  }

  // What was broken before may stay so; what this change starts must run, and what ran must go on.
  Status check_dependencies() {
    read_manifests(planned_.plugins);
    read_manifests(current_.plugins);
    const ResolvedSet resolved = resolve(planned_.plugins);
    std::set<std::string> starts;
    for (const InstalledPlugin& plugin : difference(current_, planned_).starts) starts.insert(plugin.id);
    for (const auto& [id, problem] : resolved.problems) {
      const bool was_broken = !starts.contains(id) && resolve(current_.plugins).problems.contains(id);
      if (was_broken) continue;
      return Error{ErrorCode::kPluginIncompatible, "the plugin '" + id + "' could not run: " + problem.reason,
                   "change the plugins that it names first"};
    }
    return {};
  }

  const GenerationStore& store_;
  const Version& host_version_;
  const Generation& current_;
  PlannedChange planned_;
};

}  // namespace

std::string_view plugin_change_name(PluginChange::Kind kind) {
  switch (kind) {
    case Kind::kInstall:
      return "install";
    case Kind::kEnable:
      return "enable";
    case Kind::kDisable:
      return "disable";
    case Kind::kReload:
      return "reload";
    case Kind::kConfigure:
      return "configure";
    case Kind::kRemove:
      return "remove";
    case Kind::kRollback:
      return "rollback";
    case Kind::kRelease:
      return "release";
  }
  return "";
}

Result<PlannedChange> plan_change(const GenerationStore& store, const PluginChange& change,
                                  const Version& host_version) {
  return ChangePlanner(store, host_version).plan(change);
}

PlannedChange plan_replacement(const GenerationStore& store, const InstalledPlugin& plugin,
                               std::string reason) {
  return ChangePlanner(store, Version()).replace(plugin, std::move(reason));
}

SetDifference difference(const Generation& current, const PlannedChange& planned) {
  SetDifference difference;
  for (const InstalledPlugin& plugin : planned.plugins) {
    if (!plugin.is_enabled) continue;
    const InstalledPlugin* old = current.find(plugin.id);
    const bool runs_on = old != nullptr && old->is_enabled && is_same_work(*old, plugin) &&
                         !planned.restarts.contains(plugin.id);
    if (!runs_on) difference.starts.push_back(plugin);
  }
  for (const InstalledPlugin& old : current.plugins) {
    const auto same = [&](const InstalledPlugin& plugin) { return plugin.id == old.id && plugin.is_enabled; };
    if (old.is_enabled && std::none_of(planned.plugins.begin(), planned.plugins.end(), same))
      difference.stops.push_back(old);
  }
  return difference;
}

Error plugin_not_found(std::string_view id, const std::vector<std::string>& known) {
  const std::vector<std::string_view> names(known.begin(), known.end());
  return {ErrorCode::kPluginNotFound,
          "there is no plugin '" + std::string(id) + "'" + did_you_mean(id, names), "list the plugins"};
}

}  // namespace llama_gpu::plugins
