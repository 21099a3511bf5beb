// SPDX-License-Identifier: Apache-2.0
#include "plugins/live_plugin_manager.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "plugins/dependency_check.h"

namespace llama_gpu::plugins {
namespace {

using Kind = PluginChange::Kind;

Error manager_stops() {
  return {ErrorCode::kShuttingDown, "the server is being stopped", "ask again once it is back"};
}

PluginManagerOptions with_command(PluginManagerOptions options) {
  if (options.make_command) return options;
  options.make_command = [program = options.worker_program](const PluginManifest& manifest,
                                                            const SandboxPolicy& policy) {
    SandboxedCommand sandboxed = sandboxed_command(policy, manifest.command);
    supervisor::WorkerCommand command;
    command.program = program;
    command.arguments = std::move(sandboxed.arguments);
    command.environment = std::move(sandboxed.environment);
    command.leads_group = true;
    return command;
  };
  return options;
}

PluginStatus make_row(const InstalledPlugin& plugin, const std::optional<PluginManifest>& manifest,
                      StateReason state) {
  PluginStatus row;
  row.id = plugin.id;
  row.version = plugin.version;
  row.digest = plugin.digest;
  row.state = state.state;
  row.reason_code = std::move(state.reason_code);
  row.reason = std::move(state.reason);
  row.is_enabled = plugin.is_enabled;
  // Nobody knows what is missed where its manifest cannot be read.
  row.is_required = manifest ? manifest->required : plugin.is_enabled;
  row.manifest = manifest;
  row.config = plugin.config;
  row.granted = plugin.permissions;
  return row;
}

std::optional<PluginManifest> manifest_of(const std::optional<PluginPackage>& package) {
  if (!package) return std::nullopt;
  return package->manifest;
}

std::string package_reason_code(const Error& error) {
  if (error.code == ErrorCode::kChecksumMismatch) return "package_modified";
  return error.code == ErrorCode::kPluginInvalid ? "manifest_invalid" : "package_missing";
}

// Whether hooks may refuse it.
bool may_be_vetoed(Kind kind) {
  return kind == Kind::kInstall || kind == Kind::kEnable || kind == Kind::kDisable || kind == Kind::kRemove;
}

}  // namespace

LivePluginManager::LivePluginManager(PluginManagerOptions options, GenerationStore store)
    : options_(with_command(std::move(options))),
      store_(std::move(store)),
      events_(*options_.clock),
      table_(events_, *options_.clock) {}

Status LivePluginManager::start_processes() {
  TRY(running_, RunningPlugins::start(options_, table_, events_, [this](GivenUp given_up) {
        thread_.push([this, given_up = std::move(given_up)] { give_up(given_up); });
      }));
  listeners_ = events_.add_hook(
      [this](const PluginEvent& event) {
        if (!event.is_before) running_->tell(event);
        return Status();
      },
      /*may_veto=*/false);
  events_.set_generation(store_.current().number);
  for (const InstalledPlugin& plugin : store_.current().plugins)
    table_.put(make_row(plugin, std::nullopt, {PluginState::kDiscovered}), "");
  if (!store_.current().plugins.empty()) running_->hold_calls();
  thread_.push([this] { start_current(); });
  return {};
}

LivePluginManager::~LivePluginManager() { stop(); }

void LivePluginManager::stop() {
  is_stopping_ = true;
  if (running_) running_->begin_stop();
  thread_.stop();
  if (running_) running_->stop();
  listeners_.reset();
  events_.stop();
}

// ---- what is asked

Generation LivePluginManager::current() const {
  const std::lock_guard lock(store_mutex_);
  return store_.current();
}

void LivePluginManager::complete(PluginStatus& status, const std::string& worker_id,
                                 const std::map<std::string, supervisor::WorkerStatus>& processes) const {
  const auto process = processes.find(worker_id);
  if (process == processes.end()) return;
  status.pid = process->second.pid;
  status.restarts = process->second.restarts;
  status.memory_bytes = process->second.memory_bytes;
}

std::vector<PluginStatus> LivePluginManager::list() const {
  const auto processes = running_->processes();
  std::vector<PluginStatus> all;
  for (PluginTable::Row& row : table_.rows()) {
    complete(row.status, row.worker_id, processes);
    all.push_back(std::move(row.status));
  }
  return all;
}

Result<PluginStatus> LivePluginManager::find(std::string_view id) const {
  std::optional<PluginTable::Row> row = table_.row(id);
  if (!row) return plugin_not_found(id, table_.ids());
  complete(row->status, row->worker_id, running_->processes());
  return std::move(row->status);
}

std::vector<QuarantinedPackage> LivePluginManager::quarantined() const {
  const std::lock_guard lock(store_mutex_);
  return store_.quarantined();
}

Result<std::vector<Generation>> LivePluginManager::generations() const {
  const std::lock_guard lock(store_mutex_);
  return store_.generations();
}

Result<ChangePlan> LivePluginManager::plan(const PluginChange& change) const {
  if (change.kind == Kind::kRelease)
    return ChangePlan{.steps = {{"release", change.plugin, "", ""}}, .new_permissions = {}, .warnings = {}};
  const std::lock_guard lock(store_mutex_);
  TRY(PlannedChange planned, plan_change(store_, change, options_.host_version));
  return std::move(planned.plan);
}

std::shared_ptr<void> LivePluginManager::add_hook(PluginEventHook hook, bool may_veto) {
  return events_.add_hook(std::move(hook), may_veto);
}

std::vector<PluginEvent> LivePluginManager::events_after(uint64_t sequence) const {
  return events_.events_after(sequence);
}

void LivePluginManager::filter_request(FilterCall call, std::function<void(Result<FilterableText>)> done) {
  running_->filter_request(std::move(call), std::move(done));
}

void LivePluginManager::apply(PluginChange change_to_make, std::function<void(Result<Generation>)> done) {
  const auto hearer = std::make_shared<std::function<void(Result<Generation>)>>(std::move(done));
  const bool is_pushed = thread_.push([this, asked = std::move(change_to_make), hearer] {
    (*hearer)(is_stopping_ ? Result<Generation>(manager_stops()) : change(asked));
  });
  if (!is_pushed) (*hearer)(manager_stops());
}

// ---- the start

void LivePluginManager::start_current() {
  std::vector<Checked> all;
  {
    const std::lock_guard lock(store_mutex_);
    for (const InstalledPlugin& plugin : store_.current().plugins) all.push_back(check(plugin));
  }
  resolve(all);
  std::vector<RunningPlugins::Switch> changes;
  for (Checked& checked : all) {
    RunningPlugins::Switch change{.row =
                                      make_row(checked.plugin, manifest_of(checked.package), checked.state)};
    if (checked.state.state == PluginState::kResolved && !is_stopping_) {
      Result<Workers> workers = start_workers({checked.plugin});
      if (workers.ok()) {
        change.worker = workers->front();
      } else {
        change.row.state = PluginState::kFailed;
        change.row.reason_code = "start_failed";
        change.row.reason = workers.error().message;
      }
    }
    if (change.row.state == PluginState::kFailed) {
      log_error("a plugin cannot run", {{"plugin", change.row.id},
                                        {"reason_code", change.row.reason_code},
                                        {"reason", change.row.reason}});
    }
    changes.push_back(std::move(change));
  }
  running_->switch_to(std::move(changes), "start");
}

LivePluginManager::Checked LivePluginManager::check(const InstalledPlugin& plugin) const {
  Checked checked{.plugin = plugin, .package = {}, .state = {PluginState::kResolved}};
  const auto fail = [&](std::string reason_code, const Error& error) {
    checked.state = {PluginState::kFailed, std::move(reason_code), error.message};
  };
  Result<PluginPackage> package = store_.package(plugin.digest);
  if (package.ok()) checked.package = *package;
  if (!plugin.is_enabled) {
    checked.state = {PluginState::kStopped, "disable", ""};
    return checked;
  }
  if (!package.ok()) {
    fail(package_reason_code(package.error()), package.error());
    return checked;
  }
  const Result<Version> host_api = parse_version(kHostApiVersion);
  const Status fits = check_host_api(package->manifest, *host_api);
  if (const Status same = store_.verify_package(plugin.digest); !same.ok()) {
    fail(package_reason_code(same.error()), same.error());
  } else if (!fits.ok()) {
    fail("host_api_incompatible", fits.error());
  }
  for (const QuarantinedPackage& bad : store_.quarantined()) {
    if (bad.digest == plugin.digest) checked.state = {PluginState::kQuarantined, "quarantined", bad.reason};
  }
  return checked;
}

// Starts are in the order that the set asks for, and only where what they need can run.
void LivePluginManager::resolve(std::vector<Checked>& all) const {
  std::vector<SetMember> members;
  members.reserve(all.size());
  for (const Checked& checked : all) {
    const bool may_run = checked.state.state == PluginState::kResolved;
    const bool is_enabled = checked.plugin.is_enabled;
    members.push_back({checked.plugin.id, is_enabled, may_run ? &checked.package->manifest : nullptr});
  }
  const ResolvedSet resolved = resolve_set(members);
  for (Checked& checked : all) {
    const auto problem = resolved.problems.find(checked.plugin.id);
    if (problem == resolved.problems.end() || checked.state.state != PluginState::kResolved) continue;
    checked.state = {PluginState::kFailed, problem->second.reason_code, problem->second.reason};
  }
  const auto rank = [&](const Checked& checked) {
    return std::find(resolved.order.begin(), resolved.order.end(), checked.plugin.id) -
           resolved.order.begin();
  };
  std::sort(all.begin(), all.end(), [&](const Checked& a, const Checked& b) {
    return std::tuple(rank(a), a.plugin.id) < std::tuple(rank(b), b.plugin.id);
  });
}

// ---- changes

Status LivePluginManager::check_signature(const PluginChange& change) const {
  if (change.kind != Kind::kInstall || options_.allows_unsigned || change.allows_unsigned) return {};
  return Error{ErrorCode::kPluginUnsigned, "the package in '" + change.source + "' is not signed",
               "look at what it is and where it is from; then allow it with --allow-unsigned"};
}

Status LivePluginManager::ask_hooks(const PluginChange& change, const ChangePlan& plan) {
  for (const ChangePlan::Step& step : plan.steps) {
    const std::optional<PluginTable::Row> row = table_.row(step.plugin);
    const bool ends = step.action == "disable" || step.action == "remove";
    const Status status =
        events_.ask({.plugin = step.plugin,
                     .version = step.to_version.empty() ? step.from_version : step.to_version,
                     .from = row ? row->status.state : PluginState::kDiscovered,
                     .to = ends ? PluginState::kStopped : PluginState::kActive,
                     .is_before = true,
                     .reason_code = step.action,
                     .reason = ""});
    if (!status.ok() && may_be_vetoed(change.kind)) return status;
  }
  return {};
}

Result<Generation> LivePluginManager::change(const PluginChange& change) {
  if (change.kind == Kind::kRelease) return release(change.plugin);
  std::optional<PlannedChange> planned;
  {
    const std::lock_guard lock(store_mutex_);
    TRY(planned, plan_change(store_, change, options_.host_version));
    TRY_STATUS(check_signature(change));
    if (planned->plugins == store_.current().plugins && planned->restarts.empty()) return store_.current();
  }
  TRY_STATUS(ask_hooks(change, planned->plan));
  // Going back by hand is meant: what was left is not gone back to.
  Result<Generation> generation = carry_out(*planned, /*is_watched=*/change.kind != Kind::kRollback);
  const std::string plugin = planned->plan.steps.size() == 1 ? planned->plan.steps[0].plugin : "";
  if (generation.ok()) {
    log_info("the plugin set was changed",
             {{"plugin", plugin}, {"generation", generation->number}, {"change", planned->reason}});
  } else {
    log_warning("a change of the plugin set failed",
                {{"plugin", plugin}, {"change", planned->reason}, {"error", generation.error().message}});
    const std::optional<PluginTable::Row> row = table_.row(plugin);
    const PluginState state = row ? row->status.state : PluginState::kFailed;
    events_.emit({.plugin = plugin,
                  .version = row ? row->status.version : "",
                  .from = state,
                  .to = state,
                  .reason_code = "change_failed",
                  .reason = planned->reason + ": " + generation.error().message});
  }
  return generation;
}

Result<LivePluginManager::Workers> LivePluginManager::start_workers(
    const std::vector<InstalledPlugin>& plugins) {
  struct Start {
    const InstalledPlugin& plugin;
    PluginPackage package;
    std::string data_folder;
  };
  std::vector<Start> starts;
  {
    const std::lock_guard lock(store_mutex_);
    for (const InstalledPlugin& plugin : plugins) {
      TRY_STATUS(store_.verify_package(plugin.digest));
      TRY(PluginPackage package, store_.package(plugin.digest));
      TRY(std::string data_folder, store_.data_folder(plugin.id));
      starts.push_back({plugin, std::move(package), std::move(data_folder)});
    }
  }
  Workers workers;
  for (Start& start : starts)
    workers.push_back(running_->start_worker(start.plugin, std::move(start.package), start.data_folder));
  return workers;
}

// What runs is committed, and then switched to: killed before, the old set is there after a restart; killed
// between, the new one, which is known to start.
Result<Generation> LivePluginManager::carry_out(const PlannedChange& planned, bool is_watched) {
  const Generation old = current();
  if (planned.package) {
    const std::lock_guard lock(store_mutex_);
    TRY_STATUS(store_.add_package(*planned.package));
  }
  Result<Workers> workers = start_workers(difference(old, planned).starts);
  if (!workers.ok()) {
    collect();
    return workers.error();
  }
  Status outcome = running_->wait_until_tried(*workers);
  Result<Generation> generation = outcome.ok() ? commit(planned) : Result<Generation>(outcome.error());
  if (!generation.ok()) {
    running_->discard(*workers);
    collect();
    return generation;
  }
  events_.set_generation(generation->number);
  std::vector<RunningPlugins::Switch> changes = switches(old, planned, *workers);
  if (!is_watched) {
    for (RunningPlugins::Switch& change : changes) change.previous.reset();
  }
  running_->switch_to(std::move(changes), planned.reason_code);
  if (generation->number != old.number)
    events_.emit({.reason_code = planned.reason_code, .reason = planned.reason});
  collect();
  return generation;
}

Result<Generation> LivePluginManager::commit(const PlannedChange& planned) {
  const std::lock_guard lock(store_mutex_);
  // The same set in other processes is no other generation.
  if (planned.plugins == store_.current().plugins) return store_.current();
  const int64_t now = options_.clock->unix_seconds();
  if (planned.roll_back_to) return store_.roll_back_to(*planned.roll_back_to, now);
  return store_.commit(planned.plugins, planned.reason, now);
}

std::vector<RunningPlugins::Switch> LivePluginManager::switches(const Generation& old,
                                                                const PlannedChange& planned,
                                                                const Workers& workers) const {
  std::vector<RunningPlugins::Switch> changes;
  for (const std::shared_ptr<PluginWorker>& worker : workers) {
    const InstalledPlugin& plugin = worker->plugin();
    const InstalledPlugin* before = old.find(plugin.id);
    const bool is_other = before != nullptr && before->is_enabled && !(*before == plugin);
    changes.push_back({.row = make_row(plugin, worker->manifest(),
                                       {PluginState::kActive, planned.reason_code, planned.reason}),
                       .worker = worker,
                       .previous = is_other ? std::optional(*before) : std::nullopt});
  }
  const auto manifest = [&](const std::string& digest) -> std::optional<PluginManifest> {
    const auto found = planned.manifests.find(digest);
    return found == planned.manifests.end() ? std::nullopt : std::optional(found->second);
  };
  for (const InstalledPlugin& plugin : planned.plugins) {
    const InstalledPlugin* before = old.find(plugin.id);
    if (plugin.is_enabled || (before != nullptr && *before == plugin)) continue;
    changes.push_back({.row = make_row(plugin, manifest(plugin.digest), {PluginState::kStopped, "disable"}),
                       .keeps_row = true});
  }
  for (const InstalledPlugin& plugin : old.plugins) {
    const auto same = [&](const InstalledPlugin& other) { return other.id == plugin.id; };
    if (std::any_of(planned.plugins.begin(), planned.plugins.end(), same)) continue;
    changes.push_back({.row = make_row(plugin, manifest(plugin.digest), {PluginState::kStopped, "remove"}),
                       .is_listed = false});
  }
  return changes;
}

void LivePluginManager::collect() {
  const std::lock_guard lock(store_mutex_);
  if (const Status status = store_.collect(options_.generations_kept); !status.ok())
    log_warning("old plugin packages could not be removed", {{"error", status.error().message}});
}

// ---- plugins that fail

void LivePluginManager::give_up(const GivenUp& given_up) {
  const std::optional<PluginTable::Row> row = table_.row(given_up.plugin.id);
  if (is_stopping_ || !row || row->worker_id != given_up.worker_id) return;
  std::string reason = given_up.reason;
  if (given_up.remedy == Remedy::kRollBack && roll_back(given_up, reason)) return;
  quarantine(given_up, reason);
}

// False, with the reason extended, where the old version does not run either.
bool LivePluginManager::roll_back(const GivenUp& given_up, std::string& reason) {
  if (!given_up.previous) return false;
  const InstalledPlugin& bad = given_up.plugin;
  std::optional<PlannedChange> planned;
  {
    const std::lock_guard lock(store_mutex_);
    planned = plan_replacement(store_, *given_up.previous,
                               "automatic rollback: " + bad.id + " " + bad.version + ": " + reason);
  }
  const Result<Generation> generation = carry_out(*planned, /*is_watched=*/false);
  if (!generation.ok()) {
    reason += "; " + given_up.previous->version + " does not run either: " + generation.error().message;
    return false;
  }
  log_warning("a plugin was rolled back by itself", {{"plugin", bad.id},
                                                     {"from", bad.version},
                                                     {"to", given_up.previous->version},
                                                     {"generation", generation->number},
                                                     {"reason", reason}});
  // Where only the config was another, the bytes are good.
  if (given_up.previous->digest == bad.digest || !keep_in_quarantine(bad, reason)) return true;
  events_.emit({.plugin = bad.id,
                .version = bad.version,
                .from = PluginState::kDraining,
                .to = PluginState::kQuarantined,
                .reason_code = "quarantined",
                .reason = reason});
  return true;
}

void LivePluginManager::quarantine(const GivenUp& given_up, const std::string& reason) {
  keep_in_quarantine(given_up.plugin, reason);
  const std::optional<PluginTable::Row> row = table_.row(given_up.plugin.id);
  if (!row) return;
  log_error("a plugin was quarantined",
            {{"plugin", row->status.id}, {"version", row->status.version}, {"reason", reason}});
  const StateReason state{PluginState::kQuarantined, "quarantined", reason};
  std::vector<RunningPlugins::Switch> changes;
  changes.push_back({.row = make_row(given_up.plugin, row->status.manifest, state)});
  running_->switch_to(std::move(changes), "quarantined");
}

bool LivePluginManager::keep_in_quarantine(const InstalledPlugin& plugin, const std::string& reason) {
  const std::lock_guard lock(store_mutex_);
  const Status status = store_.quarantine({.digest = plugin.digest,
                                           .id = plugin.id,
                                           .version = plugin.version,
                                           .reason = reason,
                                           .since_unix_seconds = options_.clock->unix_seconds()});
  if (!status.ok())
    log_error("a quarantine could not be kept", {{"plugin", plugin.id}, {"error", status.error().message}});
  return status.ok();
}

Result<Generation> LivePluginManager::release(const std::string& id) {
  std::optional<Checked> checked;
  {
    const std::lock_guard lock(store_mutex_);
    std::vector<std::string> digests;
    for (const QuarantinedPackage& bad : store_.quarantined()) {
      if (bad.id == id) digests.push_back(bad.digest);
    }
    const InstalledPlugin* plugin = store_.current().find(id);
    if (digests.empty() && plugin == nullptr) return plugin_not_found(id, table_.ids());
    for (const std::string& digest : digests) TRY_STATUS(store_.release(digest));
    if (plugin != nullptr) checked = check(*plugin);
  }
  const std::optional<PluginTable::Row> row = table_.row(id);
  if (!checked || !row || row->status.state != PluginState::kQuarantined) return current();
  log_info("a plugin was released from quarantine", {{"plugin", id}});
  RunningPlugins::Switch change{.row =
                                    make_row(checked->plugin, manifest_of(checked->package), checked->state)};
  if (checked->state.state == PluginState::kResolved) {
    TRY(const Workers workers, start_workers({checked->plugin}));
    change.worker = workers.front();
    change.row.reason_code = "release";
  }
  std::vector<RunningPlugins::Switch> changes;
  changes.push_back(std::move(change));
  running_->switch_to(std::move(changes), "release");
  return current();
}

// ---- PluginManager

Result<std::unique_ptr<PluginManager>> PluginManager::start(PluginManagerOptions options) {
  TRY(GenerationStore store, GenerationStore::open(options.folder, GenerationStore::Mode::kWrite));
  auto manager = std::make_unique<LivePluginManager>(std::move(options), std::move(store));
  TRY_STATUS(manager->start_processes());
  return std::unique_ptr<PluginManager>(std::move(manager));
}

}  // namespace llama_gpu::plugins
