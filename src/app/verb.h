// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "app/console.h"
#include "app/environment.h"
#include "app/interrupts.h"
#include "app/settings.h"
#include "base/result.h"

namespace CLI {
class App;
}

namespace llama_gpu::app {

// What a verb runs with. Everything outlives the run.
struct VerbContext {
  Console& console;
  const Environment& environment;
  const LoadedSettings& settings;
  Interrupts& interrupts;
  std::string worker_program;  // that `serve` runs models with
};

// One verb of the command line, such as `serve`: made for one call, its options are its members.
class Verb {
 public:
  virtual ~Verb() = default;

  // Declares positionals and options, bound to members.
  virtual void declare(CLI::App& command) = 0;
  // Settings that the verb takes as flags; the values arrive in VerbContext::settings.
  virtual std::span<const SettingId> setting_flags() const { return {}; }
  // False for a verb that another process starts with all it needs.
  virtual bool reads_settings_file() const { return true; }
  // Returns the exit code. An error is reported by the caller and gives the exit code of its kind.
  virtual Result<int> run(VerbContext& context) = 0;
};

// A row of the table of verbs.
struct VerbEntry {
  std::string_view name;
  std::string_view summary;
  bool is_hidden;
  std::unique_ptr<Verb> (*make)();
};

// All verbs, in the order of the help text.
std::span<const VerbEntry> verbs();

}  // namespace llama_gpu::app
