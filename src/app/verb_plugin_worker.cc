// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "app/verbs.h"
#include "plugins/sandbox.h"

namespace llama_gpu::app {
namespace {

// The process that becomes a plugin for `serve`, which starts it; not for people.
class PluginWorkerVerb final : public Verb {
 public:
  void declare(CLI::App& command) override {
    command.add_option("policy", policy_, "What the plugin is held to, as JSON")->required();
    command.add_option("command", command_, "Program of the plugin and its arguments, after --")->required();
  }

  bool reads_settings_file() const override { return false; }

  Result<int> run(VerbContext&) override {
    TRY_STATUS(plugins::enter_sandbox_and_execute(policy_, command_));
    return 0;
  }

 private:
  std::string policy_;
  std::vector<std::string> command_;
};

}  // namespace

std::unique_ptr<Verb> make_plugin_worker_verb() { return std::make_unique<PluginWorkerVerb>(); }

}  // namespace llama_gpu::app
