// SPDX-License-Identifier: Apache-2.0
#include "app/serve_plugins.h"

#include <utility>

#include "app/version.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

// Whether the store of another process holds no plugin: then nothing is lost by doing without it.
bool holds_no_plugin(const std::string& folder) {
  const auto store = plugins::GenerationStore::open(folder, plugins::GenerationStore::Mode::kRead);
  return store.ok() && store->current().plugins.empty();
}

}  // namespace

plugins::PluginManagerOptions plan_plugins(const Settings& settings, std::string worker_program) {
  plugins::PluginManagerOptions options;
  options.folder = settings.plugins.dir;
  options.worker_program = std::move(worker_program);
  options.host_version = plugins::parse_version(program_version()).value();
  options.allows_unsigned = settings.plugins.allow_unsigned;
  return options;
}

Result<ServedPlugins> ServedPlugins::start(const Settings& settings, const std::string& worker_program,
                                           Console& console) {
  ServedPlugins served;
  if (!settings.plugins.enabled) return {std::move(served)};
  auto manager = plugins::PluginManager::start(plan_plugins(settings, worker_program));
  if (!manager.ok()) {
    const bool is_busy = manager.error().code == ErrorCode::kPluginStoreBusy;
    if (!is_busy || !holds_no_plugin(settings.plugins.dir)) return std::move(manager).error();
    console.err << "this server has no plugins: another one uses the folder '"
                << escape_line(settings.plugins.dir) << "' (plugins.dir names one of its own)" << std::endl;
    return {std::move(served)};
  }
  served.manager_ = *std::move(manager);
  served.filter_ = std::make_unique<PluginFilter>(*served.manager_);
  return {std::move(served)};
}

void ServedPlugins::connect(server::ServerParts& parts) {
  parts.plugins = manager_.get();
  parts.filter = filter_.get();
  if (manager_) parts.sandbox = plugins::probe_sandbox();
}

void ServedPlugins::stop() {
  if (manager_ && !std::exchange(is_stopped_, true)) manager_->stop();
}

}  // namespace llama_gpu::app
