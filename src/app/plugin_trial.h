// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace llama_gpu::app {

// How a plugin is tried out.
struct TrialOptions {
  std::string folder;                                        // of the package
  std::string worker_program;                                // that has the verb `plugin-worker`
  std::string message = "Hello, write to jane@example.com";  // for its request filter
};

// One step of a trial. After one that failed there are no more.
struct TrialStep {
  std::string name;
  bool is_good = false;
  std::string detail;  // what came of it, or why it failed
};

// What a trial found.
struct TrialReport {
  std::vector<TrialStep> steps;
  std::vector<std::string> log;  // the plugin's last lines
  bool is_good() const { return !steps.empty() && steps.back().is_good; }
};

// Takes a plugin through its life in this process, in a store of its own that is removed afterwards: read,
// start with self-test, filter, reload, stop. Blocks. An error only where there can be no trial.
Result<TrialReport> try_plugin(const TrialOptions& options);

}  // namespace llama_gpu::app
