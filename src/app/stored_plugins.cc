// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "app/plugin_admin.h"
#include "app/version.h"
#include "base/clock.h"
#include "plugins/change_planner.h"
#include "plugins/sandbox.h"
#include "server/render_plugin.h"

namespace llama_gpu::app {
namespace {

using Json = PluginAdmin::Json;
using plugins::GenerationStore;
using plugins::InstalledPlugin;
using plugins::PluginChange;
using plugins::PluginState;
using plugins::PluginStatus;
using Kind = PluginChange::Kind;

constexpr size_t kGenerationsKept = 10;

Error no_server(std::string_view what) {
  return {ErrorCode::kServerUnreachable, "no server runs, so " + std::string(what),
          "start one, or give the --url of one"};
}

// Nothing is made where somebody only looks: no folder is an empty store.
Result<std::optional<GenerationStore>> open_to_read(const std::string& folder) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) return {std::optional<GenerationStore>()};
  TRY(GenerationStore store, GenerationStore::open(folder, GenerationStore::Mode::kRead));
  return {std::optional<GenerationStore>(std::move(store))};
}

// As a server would show it before it starts anything.
PluginStatus status_of(const GenerationStore& store, const InstalledPlugin& plugin) {
  PluginStatus status;
  status.id = plugin.id;
  status.version = plugin.version;
  status.digest = plugin.digest;
  status.is_enabled = plugin.is_enabled;
  status.config = plugin.config;
  status.granted = plugin.permissions;
  status.state = PluginState::kStopped;
  status.reason_code = plugin.is_enabled ? "no_server" : "disable";
  status.reason = plugin.is_enabled ? "no server runs" : "it is disabled";
  status.since_unix_milliseconds = store.current().created_unix_seconds * 1000;
  auto package = store.package(plugin.digest);
  if (package.ok()) {
    status.is_required = package->manifest.required;
    status.manifest = std::move(package->manifest);
  } else {
    status.state = PluginState::kFailed;
    status.reason_code = "package_invalid";
    status.reason = package.error().message;
  }
  const auto quarantined =
      std::ranges::find(store.quarantined(), plugin.digest, &plugins::QuarantinedPackage::digest);
  if (quarantined != store.quarantined().end()) {
    status.state = PluginState::kQuarantined;
    status.reason_code = "quarantined";
    status.reason = quarantined->reason;
  }
  return status;
}

Error not_installed(const plugins::Generation& generation, const std::string& id) {
  std::vector<std::string> known;
  for (const InstalledPlugin& plugin : generation.plugins) known.push_back(plugin.id);
  return plugins::plugin_not_found(id, known);
}

// Lets all packages of the plugin run again.
Result<plugins::ChangePlan> plan_release(const GenerationStore& store, const std::string& id) {
  plugins::ChangePlan plan;
  for (const plugins::QuarantinedPackage& package : store.quarantined()) {
    if (package.id == id) plan.steps.push_back({"release", id, package.version, package.version});
  }
  if (plan.steps.empty()) {
    return Error{ErrorCode::kPluginNotFound, "no package of '" + id + "' is quarantined",
                 "`llama-gpu plugin list` shows those that are"};
  }
  return plan;
}

Status release_all(GenerationStore& store, const std::string& id) {
  const std::vector<plugins::QuarantinedPackage> quarantined = store.quarantined();
  for (const plugins::QuarantinedPackage& package : quarantined) {
    if (package.id == id) TRY_STATUS(store.release(package.digest));
  }
  return {};
}

Result<plugins::PlannedChange> plan_offline(const GenerationStore& store, const PluginChange& change) {
  if (change.kind == Kind::kReload) return no_server("there is nothing to reload");
  plugins::PlannedChange planned;
  if (change.kind == Kind::kRelease) {
    TRY(planned.plan, plan_release(store, change.plugin));
    return planned;
  }
  TRY(const plugins::Version host, plugins::parse_version(program_version()));
  return plugins::plan_change(store, change, host);
}

Status carry_out(GenerationStore& store, const PluginChange& change, plugins::PlannedChange planned) {
  if (change.kind == Kind::kRelease) return release_all(store, change.plugin);
  if (planned.plan.steps.empty()) return {};
  if (planned.package) TRY_STATUS(store.add_package(*planned.package));
  const int64_t now = system_clock().unix_seconds();
  if (planned.roll_back_to) {
    TRY_STATUS(store.roll_back_to(*planned.roll_back_to, now));
  } else {
    TRY_STATUS(store.commit(std::move(planned.plugins), planned.reason, now));
  }
  return store.collect(kGenerationsKept);
}

}  // namespace

Result<Json> StoredPlugins::list() {
  server::PluginListing listing;
  listing.sandbox = plugins::probe_sandbox();
  TRY(const std::optional<GenerationStore> store, open_to_read(folder_));
  if (store) {
    listing.generation = store->current().number;
    listing.quarantined = store->quarantined();
    for (const InstalledPlugin& plugin : store->current().plugins)
      listing.plugins.push_back(status_of(*store, plugin));
  }
  return Json::parse(server::render_plugin_list(listing));
}

Result<Json> StoredPlugins::info(const std::string& id) {
  TRY(const std::optional<GenerationStore> store, open_to_read(folder_));
  if (!store) return not_installed({}, id);
  const InstalledPlugin* const plugin = store->current().find(id);
  if (plugin == nullptr) return not_installed(store->current(), id);
  return Json::parse(server::render_plugin(status_of(*store, *plugin)));
}

Result<Json> StoredPlugins::generations() {
  TRY(const std::optional<GenerationStore> store, open_to_read(folder_));
  std::vector<plugins::Generation> kept;
  if (store) {
    TRY(kept, store->generations());
  }
  return Json::parse(server::render_plugin_generations(kept));
}

Result<Json> StoredPlugins::plan(const PluginChange& change) {
  TRY(const GenerationStore store, GenerationStore::open(folder_, GenerationStore::Mode::kWrite));
  TRY(const plugins::PlannedChange planned, plan_offline(store, change));
  return Json::parse(server::render_plugin_change(planned.plan, std::nullopt));
}

Result<Json> StoredPlugins::apply(const PluginChange& change) {
  TRY(GenerationStore store, GenerationStore::open(folder_, GenerationStore::Mode::kWrite));
  TRY(plugins::PlannedChange planned, plan_offline(store, change));
  if (change.kind == Kind::kInstall && !change.allows_unsigned && !allows_unsigned_) {
    return Error{ErrorCode::kPluginUnsigned, "the package has no signature of a trusted key",
                 "--allow-unsigned installs it nevertheless"};
  }
  const plugins::ChangePlan plan = planned.plan;
  TRY_STATUS(carry_out(store, change, std::move(planned)));
  return Json::parse(server::render_plugin_change(plan, store.current()));
}

Status StoredPlugins::events(bool, const std::function<bool(const Json& event)>&) {
  return no_server("nothing happens to plugins");
}

}  // namespace llama_gpu::app
