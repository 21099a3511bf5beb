// SPDX-License-Identifier: Apache-2.0
#include "plugins/running_plugins.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/log.h"

namespace llama_gpu::plugins {
namespace {

Error plugins_stop() {
  return {ErrorCode::kShuttingDown, "the server is being stopped", "send the request again in a moment"};
}

bool offers(const PluginManifest& manifest, Capability capability) {
  const auto& all = manifest.capabilities;
  return std::count(all.begin(), all.end(), capability) > 0;
}

bool is_listener(const PluginWorker* worker) {
  return worker != nullptr && offers(worker->manifest(), Capability::kEventListener);
}

}  // namespace

RunningPlugins::RunningPlugins(const PluginManagerOptions& options, PluginTable& table, EventHub& events,
                               std::function<void(GivenUp)> on_given_up)
    : options_(options), table_(table), events_(events), on_given_up_(std::move(on_given_up)) {}

Result<std::unique_ptr<RunningPlugins>> RunningPlugins::start(const PluginManagerOptions& options,
                                                              PluginTable& table, EventHub& events,
                                                              std::function<void(GivenUp)> on_given_up) {
  std::unique_ptr<RunningPlugins> running(new RunningPlugins(options, table, events, std::move(on_given_up)));
  TRY(running->supervisor_, supervisor::Supervisor::start({}, *options.clock));
  return running;
}

RunningPlugins::~RunningPlugins() { stop(); }

// ---- trials

std::shared_ptr<PluginWorker> RunningPlugins::start_worker(const InstalledPlugin& plugin,
                                                           PluginPackage package,
                                                           const std::string& data_folder) {
  const SandboxPolicy policy{.package_folder = package.folder,
                             .data_folder = data_folder,
                             .permissions = plugin.permissions,
                             .limits = package.manifest.limits};
  const supervisor::WorkerCommand command = options_.make_command(package.manifest, policy);
  const supervisor::WorkerPolicy life = worker_policy(package.manifest.limits, options_.drain_timeout);
  std::shared_ptr<PluginWorker> worker;
  {
    const std::lock_guard lock(mutex_);
    PluginWorker::Spec spec{.id = "plugin-" + plugin.id + "-" + std::to_string(++last_worker_),
                            .plugin = plugin,
                            .package = std::move(package),
                            .data_folder = data_folder,
                            .limits = {.watch_window = options_.watch_window,
                                       .crash_limit = options_.crash_limit,
                                       .crash_window = options_.crash_window}};
    worker = std::make_shared<PluginWorker>(
        std::move(spec), PluginWorker::Surroundings{*this, table_, events_, *options_.clock});
    workers_.emplace(worker->id(), worker);
  }
  supervisor_->add({{.id = worker->id(), .command = command, .policy = life}, &worker->session()});
  return worker;
}

void RunningPlugins::on_tried(PluginWorker& worker, Status outcome) {
  const std::lock_guard lock(mutex_);
  trials_.insert_or_assign(worker.id(), std::move(outcome));
  changed_.notify_all();
}

Status RunningPlugins::wait_until_tried(const std::vector<std::shared_ptr<PluginWorker>>& workers) {
  const auto is_tried = [this](const auto& worker) { return trials_.contains(worker->id()); };
  const auto has_failed = [&](const auto& worker) {
    return is_tried(worker) && !trials_.at(worker->id()).ok();
  };
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return is_stopping_ || std::any_of(workers.begin(), workers.end(), has_failed) ||
           std::all_of(workers.begin(), workers.end(), is_tried);
  });
  if (is_stopping_) return plugins_stop();
  const auto failed = std::find_if(workers.begin(), workers.end(), has_failed);
  return failed == workers.end() ? Status() : trials_.at((*failed)->id());
}

void RunningPlugins::discard(const std::vector<std::shared_ptr<PluginWorker>>& workers) {
  run_on_supervisor([&] {
    for (const std::shared_ptr<PluginWorker>& worker : workers) {
      worker->begin_leaving(worker->state().reason_code);
      end_worker(worker);
    }
  });
}

void RunningPlugins::on_given_up(PluginWorker& worker, Remedy remedy, const std::string& reason) {
  on_given_up_({worker.id(), worker.plugin(), worker.previous(), remedy, reason});
}

// ---- switching

// False once the supervisor has stopped: nothing runs any more then.
bool RunningPlugins::run_on_supervisor(std::function<void()> task) {
  std::promise<void> ran;
  const bool is_posted = supervisor_->post([&] {
    task();
    ran.set_value();
  });
  if (is_posted) ran.get_future().wait();
  return is_posted;
}

void RunningPlugins::switch_to(std::vector<Switch> switches, const std::string& reason_code) {
  run_on_supervisor([&] {
    for (Switch& change : switches) switch_one(change, reason_code);
    list_filters();
    release_calls();
  });
}

void RunningPlugins::switch_one(Switch& change, const std::string& reason_code) {
  const std::string id = change.row.id;
  Place& place = places_[id];
  const std::shared_ptr<PluginWorker> old = std::exchange(place.worker, change.worker);
  place.filter = filter_of(change);
  if (change.worker) {
    PluginStatus row = std::move(change.row);
    row.state = change.worker->state().state;
    row.sandbox = change.worker->sandbox();
    table_.put(std::move(row), change.worker->id());
    change.worker->begin_service(std::move(change.previous));
  } else if (old && (change.keeps_row || !change.is_listed)) {
    // The row tells how the old worker ends.
    change.row.state = old->state().state;
    change.row.reason_code.clear();
    table_.put(std::move(change.row), old->id());
  } else {
    table_.put(std::move(change.row), "");
  }
  if (old && old != change.worker) {
    old->begin_leaving(reason_code);
    end_worker(old);
  }
  if (!change.is_listed) {
    table_.drop(id);
    places_.erase(id);
  }
}

void RunningPlugins::end_worker(const std::shared_ptr<PluginWorker>& worker) {
  supervisor_->remove(worker->id(), [this, worker] {
    worker->note_gone();
    const std::lock_guard lock(mutex_);
    trials_.erase(worker->id());
    workers_.erase(worker->id());
  });
}

// A plugin that is enabled and cannot run is still a filter: what fails closed stays closed, and so does what
// nobody can tell of.
std::optional<HostedFilter> RunningPlugins::filter_of(const Switch& change) {
  const std::optional<PluginManifest>& manifest = change.row.manifest;
  if (!change.is_listed || !change.row.is_enabled) return std::nullopt;
  if (manifest && !offers(*manifest, Capability::kRequestFilter)) return std::nullopt;
  HostedFilter filter{.plugin = change.row.id,
                      .order = manifest ? manifest->order : 0,
                      .policy = manifest ? manifest->failure_policy : FailurePolicy::kClosed,
                      .ask = {}};
  if (change.worker) {
    // The place holds the worker as long as the filter is listed.
    filter.ask = [worker = change.worker.get()](const FilterCall& call, auto done) {
      worker->filter_request(call, std::move(done));
    };
  } else {
    filter.ask = [this, id = change.row.id](const FilterCall&, const auto& done) {
      table_.count_failure(id);
      done(Error{ErrorCode::kPluginFailed, "it cannot run"});
    };
  }
  return filter;
}

void RunningPlugins::list_filters() {
  filters_.clear();
  for (const auto& [id, place] : places_) {
    if (place.filter) filters_.push_back(*place.filter);
  }
  sort_filters(filters_);
  num_filters_ = filters_.size();
  num_listeners_ = static_cast<size_t>(std::count_if(places_.begin(), places_.end(), [](const auto& named) {
    return is_listener(named.second.worker.get());
  }));
}

// ---- calls

void RunningPlugins::release_calls() {
  is_holding_ = false;
  const std::vector<std::function<void()>> held = std::exchange(held_, {});
  for (const auto& call : held) call();
}

void RunningPlugins::filter_request(FilterCall call, std::function<void(Result<FilterableText>)> done) {
  if (!has_request_filters()) return done(std::move(call.text));
  // Shared: where the task does not run, somebody still has to be told.
  const auto hearer = std::make_shared<std::function<void(Result<FilterableText>)>>(std::move(done));
  const bool is_posted = supervisor_->post([this, call = std::move(call), hearer] {
    const auto pass = [this, call, hearer] { pass_filters(filters_, call, *hearer); };
    if (is_holding_) return held_.push_back(pass);
    pass();
  });
  if (!is_posted) (*hearer)(plugins_stop());
}

void RunningPlugins::tell(const PluginEvent& event) {
  if (num_listeners_ == 0) return;
  supervisor_->post([this, json = to_json(event)] {
    for (const auto& [plugin, place] : places_) {
      if (is_listener(place.worker.get())) place.worker->session().tell(json);
    }
  });
}

std::map<std::string, supervisor::WorkerStatus> RunningPlugins::processes() const {
  std::map<std::string, supervisor::WorkerStatus> processes;
  for (supervisor::WorkerStatus& status : supervisor_->workers()) {
    const std::string id = status.id;
    processes.emplace(id, std::move(status));
  }
  return processes;
}

void RunningPlugins::begin_stop() {
  const std::lock_guard lock(mutex_);
  is_stopping_ = true;
  changed_.notify_all();
}

void RunningPlugins::stop() {
  begin_stop();
  if (!supervisor_) return;
  supervisor_->post([this] { release_calls(); });
  supervisor_->stop();
}

}  // namespace llama_gpu::plugins
