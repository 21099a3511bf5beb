// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "app/dashboard_assets.h"
#include "app/first_answer.h"
#include "app/model_library.h"
#include "app/serve_plan.h"
#include "app/verbs.h"
#include "app/version.h"
#include "server/server.h"
#include "supervisor/supervised_model_host.h"
#include "telemetry/registry.h"

namespace llama_gpu::app {
namespace {

using supervisor::WorkerState;
using supervisor::WorkerStatus;

constexpr std::array kServeSettings = {SettingId::kServerHost,         SettingId::kServerPort,
                                       SettingId::kServerApiKey,       SettingId::kServerInsecureNoAuth,
                                       SettingId::kServerAllowedHosts, SettingId::kEngineThreads,
                                       SettingId::kEngineCtxSize,      SettingId::kEngineParallel,
                                       SettingId::kEngineKvTokens,     SettingId::kEngineBackend};

constexpr std::chrono::milliseconds kPoll{50};

// Why the models cannot be served, once each of them has failed to load.
std::optional<Error> load_failure(const std::vector<WorkerStatus>& workers) {
  const bool have_all_failed =
      !workers.empty() && std::ranges::all_of(workers, [](const WorkerStatus& worker) {
        return worker.state == WorkerState::kFailed && worker.last_exit &&
               worker.last_exit->kind == supervisor::ExitKind::kLoadFailed;
      });
  if (!have_all_failed) return std::nullopt;
  return Error{ErrorCode::kModelInvalid, "the model '" + workers.front().model +
                                             "' cannot be loaded: " + workers.front().last_exit->message};
}

// Serves models until Ctrl-C or SIGTERM, then drains and ends with 0; a second signal ends it at once.
class ServeVerb final : public Verb {
 public:
  void declare(CLI::App& command) override {
    command.add_option("models", models_, "Models, default " + std::string(kDefaultModelId))
        ->type_name("MODEL");
    command.add_option("--alias", aliases_, "Another name of the model; NAME=MODEL where there are several")
        ->type_name("NAME")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_option("--first-prompt", first_prompt_,
                       "Answer this in the terminal once the model is ready");
    command.footer(
        "Ctrl-C or SIGTERM lets running answers end, for at most server.drain_seconds, and exits with 0; a "
        "second\n"
        "one ends them at once.");
  }

  std::span<const SettingId> setting_flags() const override { return kServeSettings; }

  Result<int> run(VerbContext& context) override {
    const Settings& settings = context.settings.values;
    TRY(std::vector<supervisor::ModelSpec> specs, plan_models(settings, models_, aliases_));
    const std::string first_model = specs.front().id;

    const server::ServerOptions server_options = plan_server(settings);
    // Before the workers begin to load: a port in use is said at once.
    TRY(server::ListeningSocket socket, server::ListeningSocket::open(server_options));

    telemetry::Registry metrics;
    supervisor::ModelHostOptions host_options;
    host_options.program_version = program_version();
    host_options.command = plan_worker(settings, context.worker_program);
    TRY(const std::unique_ptr<supervisor::SupervisedModelHost> host,
        supervisor::SupervisedModelHost::start(std::move(specs), std::move(host_options)));
    TRY(const std::unique_ptr<server::Server> server,
        server::Server::start(server_options,
                              {.host = *host, .metrics = metrics, .assets = dashboard_assets()},
                              std::move(socket)));
    const std::string url = local_url(settings.server.host, server->port());
    announce(context.console, url);

    TRY_STATUS(wait_until_loaded(context.interrupts, *host));
    if (!first_prompt_.empty()) {
      // The server stands, whatever became of its first answer.
      const Status shown =
          show_first_answer(*host, first_model, first_prompt_, context.console, context.interrupts.flag());
      if (!shown.ok()) report(context.console, shown.error());
      if (!context.interrupts.flag()) {
        context.console.err << "Serving until Ctrl-C: " << url << std::endl;
      }
    }
    while (!context.interrupts.flag()) context.interrupts.wait_for(std::chrono::seconds(3600));
    drain(context, *host, *server);
    return 0;
  }

 private:
  static void announce(Console& console, const std::string& url) {
    console.err << "listening on " << url << "\n"
                << "  dashboard  " << url << "/\n"
                << "  API        " << url << "/v1  (OpenAI-compatible; described at /openapi.json)"
                << std::endl;
  }

  // Until one model is ready, all have failed to load, or somebody wants it to stop.
  static Status wait_until_loaded(Interrupts& interrupts, const supervisor::ModelHost& host) {
    while (!interrupts.flag()) {
      const std::vector<WorkerStatus> workers = host.workers();
      if (std::ranges::any_of(
              workers, [](const WorkerStatus& worker) { return worker.state == WorkerState::kReady; })) {
        return {};
      }
      if (const std::optional<Error> failure = load_failure(workers)) return *failure;
      interrupts.wait_for(kPoll);
    }
    return {};
  }

  static void drain(VerbContext& context, supervisor::SupervisedModelHost& host, server::Server& server) {
    const auto longest = std::chrono::seconds(context.settings.values.server.drain_seconds);
    context.console.err << "stopping: running answers may finish, Ctrl-C again ends them" << std::endl;
    host.begin_drain();
    std::atomic<bool> is_drained = false;
    std::thread second_signal([&] {
      while (!is_drained) {
        if (context.interrupts.wait_for(kPoll) && context.interrupts.count() > 1) {
          host.stop();
          return;
        }
      }
    });
    server.drain(longest);
    is_drained = true;
    second_signal.join();
    host.stop();
  }

  std::vector<std::string> models_;
  std::vector<std::string> aliases_;
  std::string first_prompt_;
};

}  // namespace

std::unique_ptr<Verb> make_serve_verb() { return std::make_unique<ServeVerb>(); }

}  // namespace llama_gpu::app
