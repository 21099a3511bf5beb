// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/console.h"
#include "app/plugin_filter.h"
#include "app/settings.h"
#include "base/result.h"
#include "plugins/plugin_manager.h"
#include "server/server.h"

namespace llama_gpu::app {

// How plugins are kept and run, by the settings. `worker_program` has the verb `plugin-worker`.
plugins::PluginManagerOptions plan_plugins(const Settings& settings, std::string worker_program);

// The plugins of `serve`, where it has any.
class ServedPlugins {
 public:
  // Begins to start them. No manager where they are switched off, or where another process has the store and
  // there is none in it: that is said on the console. Errors of PluginManager::start.
  static Result<ServedPlugins> start(const Settings& settings, const std::string& worker_program,
                                     Console& console);

  ServedPlugins(ServedPlugins&&) noexcept = default;
  ServedPlugins& operator=(ServedPlugins&&) = delete;
  ~ServedPlugins() { stop(); }

  // Hands them to the server, which they outlive.
  void connect(server::ServerParts& parts);
  // Ends them, once. Call it when the server is drained.
  void stop();

 private:
  ServedPlugins() = default;

  std::unique_ptr<plugins::PluginManager> manager_;
  std::unique_ptr<PluginFilter> filter_;
  bool is_stopped_ = false;
};

}  // namespace llama_gpu::app
