// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "app/backends.h"
#include "app/flag_checks.h"
#include "app/verbs.h"
#include "app/version.h"
#include "base/failpoint.h"
#include "supervisor/engine_worker_process.h"

namespace llama_gpu::app {
namespace {

// The process that runs one model for `serve`, which starts it; not for people.
class EngineWorkerVerb final : public Verb {
 public:
  void declare(CLI::App& command) override {
    command.add_option("--fd", fd_, "Socket to the server, inherited")
        ->required()
        ->transform(integer_in({3, 1 << 20}));
    command.add_option("--failpoints", failpoints_, "Those of the server's settings");
  }

  bool reads_settings_file() const override { return false; }

  Result<int> run(VerbContext&) override {
    if (!failpoints_.empty()) TRY_STATUS(set_failpoints(failpoints_));
    supervisor::become_worker_process();
    const BackendRegistry backends = make_backends();
    return supervisor::run_engine_worker(fd_, backends, std::string(program_version()));
  }

 private:
  int fd_ = -1;
  std::string failpoints_;
};

}  // namespace

std::unique_ptr<Verb> make_engine_worker_verb() { return std::make_unique<EngineWorkerVerb>(); }

}  // namespace llama_gpu::app
