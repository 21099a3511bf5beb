// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "app/verbs.h"
#include "app/version.h"

namespace llama_gpu::app {
namespace {

class VersionVerb final : public Verb {
 public:
  void declare(CLI::App& command) override { command.add_flag("--json", as_json_, "As JSON"); }

  Result<int> run(VerbContext& context) override {
    if (as_json_) {
      context.console.out << nlohmann::ordered_json{{"version", program_version()}}.dump() << "\n";
    } else {
      context.console.out << "llama-gpu " << program_version() << "\n";
    }
    return 0;
  }

 private:
  bool as_json_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_version_verb() { return std::make_unique<VersionVerb>(); }

}  // namespace llama_gpu::app
