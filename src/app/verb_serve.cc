// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "app/dashboard_assets.h"
#include "app/first_answer.h"
#include "app/model_library.h"
#include "app/open_files.h"
#include "app/serve_plan.h"
#include "app/serve_plugins.h"
#include "app/verbs.h"
#include "app/version.h"
#include "base/log.h"
#include "server/server.h"
#include "supervisor/supervised_model_host.h"
#include "telemetry/registry.h"

namespace llama_gpu::app {
namespace {

using supervisor::WorkerState;
using supervisor::WorkerStatus;

constexpr std::array kServeSettings = {
    SettingId::kServerHost,           SettingId::kServerPort,         SettingId::kServerApiKey,
    SettingId::kServerInsecureNoAuth, SettingId::kServerAllowedHosts, SettingId::kEngineThreads,
    SettingId::kEngineCtxSize,        SettingId::kEngineParallel,     SettingId::kEngineKvTokens,
    SettingId::kEngineBackend,        SettingId::kPluginsDir};

constexpr std::chrono::milliseconds kPoll{50};

// How often a worker is tried before the server has ever served. Later it would be tried without end; now
// somebody waits to hear what is wrong.
constexpr int64_t kFirstTries = 4;

bool is_given_up(const WorkerStatus& worker) {
  return worker.last_exit && (worker.state == WorkerState::kFailed || worker.restarts >= kFirstTries);
}

// The exit code of a worker that said why it could not load its model is that of the error.
int exit_code_of(const std::optional<supervisor::WorkerExit>& exit) {
  const bool gave_reason = exit && exit->exit_code != 0 && exit->kind != supervisor::ExitKind::kCrashed;
  return gave_reason ? exit->exit_code : error_code_info(ErrorCode::kWorkerFailed).exit_code;
}

// Says why the models cannot be served, once each of them was given up; the exit code of the first.
std::optional<int> report_failures(Console& console, const std::vector<WorkerStatus>& workers) {
  if (workers.empty() || !std::ranges::all_of(workers, is_given_up)) return std::nullopt;
  for (const WorkerStatus& worker : workers) {
    const std::string why = worker.last_exit ? worker.last_exit->message : "its worker ended";
    report(console, {ErrorCode::kWorkerFailed, "the model '" + worker.model + "' cannot be loaded: " + why});
  }
  return exit_code_of(workers.front().last_exit);
}

// Serves models until Ctrl-C, SIGTERM or SIGHUP, then drains and ends with 0. A second signal ends it at
// once, as a shell reports that signal.
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
        "Ctrl-C, SIGTERM or SIGHUP lets running answers end, for at most server.drain_seconds, and exits\n"
        "with 0; a second one ends the program at once, with 130, 143 or 129. nohup keeps SIGHUP away. A\n"
        "model that cannot be found or loaded is reported and the others are served; where there is no\n"
        "other, serve exits with the code of the error: 66 for a bad file.");
  }

  std::span<const SettingId> setting_flags() const override { return kServeSettings; }

  Result<int> run(VerbContext& context) override {
    const Settings& settings = context.settings.values;
    TRY(ModelPlan plan, plan_models(settings, models_, aliases_));
    for (const Error& error : plan.refused) report(context.console, error);
    const std::string first_model = plan.specs.front().id;

    server::ServerOptions server_options = plan_server(settings);
    server_options.max_connections = connections_that_fit(server_options.max_connections, plan.specs.size());
    // Before the workers begin to load: a port in use is said at once.
    TRY(server::ListeningSocket socket, server::ListeningSocket::open(server_options));

    telemetry::Registry metrics;
    TRY(ServedPlugins plugins, ServedPlugins::start(settings, context.worker_program, context.console));
    supervisor::ModelHostOptions host_options;
    host_options.program_version = program_version();
    host_options.command = plan_worker(settings, context.worker_program);
    TRY(const std::unique_ptr<supervisor::SupervisedModelHost> host,
        supervisor::SupervisedModelHost::start(std::move(plan.specs), std::move(host_options)));
    server::ServerParts parts{.host = *host, .metrics = metrics, .assets = dashboard_assets()};
    plugins.connect(parts);
    TRY(const std::unique_ptr<server::Server> server,
        server::Server::start(server_options, std::move(parts), std::move(socket)));
    const std::string url = local_url(settings.server.host, server->port());
    announce(context.console, url);

    if (const std::optional<int> exit_code = wait_until_loaded(context, *host)) return *exit_code;
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
    const int exit_code = drain(context, *host, *server);
    plugins.stop();
    return exit_code;
  }

 private:
  static size_t connections_that_fit(size_t asked, size_t num_workers) {
    const uint64_t max_open_files = raise_open_file_limit();
    const size_t fitting = fit_connections(asked, max_open_files, num_workers);
    if (fitting < asked) {
      log_warning("the limit on open files allows fewer connections than server.max_connections",
                  {{"max_open_files", max_open_files}, {"max_connections", fitting}});
    }
    return fitting;
  }

  static void announce(Console& console, const std::string& url) {
    console.err << "listening on " << url << "\n"
                << "  dashboard  " << url << "/\n"
                << "  API        " << url << "/v1  (OpenAI-compatible; described at /openapi.json)"
                << std::endl;
  }

  // Until one model is ready, or somebody wants it to stop. The exit code, where all were given up before.
  static std::optional<int> wait_until_loaded(VerbContext& context, const supervisor::ModelHost& host) {
    while (!context.interrupts.flag()) {
      const std::vector<WorkerStatus> workers = host.workers();
      if (std::ranges::any_of(
              workers, [](const WorkerStatus& worker) { return worker.state == WorkerState::kReady; })) {
        return std::nullopt;
      }
      if (const std::optional<int> exit_code = report_failures(context.console, workers)) return exit_code;
      context.interrupts.wait_for(kPoll);
    }
    return std::nullopt;
  }

  // Returns the exit code.
  static int drain(VerbContext& context, supervisor::SupervisedModelHost& host, server::Server& server) {
    Interrupts& interrupts = context.interrupts;
    const auto longest = std::chrono::seconds(context.settings.values.server.drain_seconds);
    context.console.err << "stopping: running answers may finish, Ctrl-C again ends them" << std::endl;
    host.begin_drain();
    std::atomic<bool> is_drained = false;
    std::thread second_signal([&] {
      while (!is_drained && interrupts.count() < 2) interrupts.wait_for(kPoll);
      if (is_drained) return;
      host.kill();
      server.end_answers();
    });
    server.drain(longest);
    host.stop();
    is_drained = true;
    second_signal.join();
    return interrupts.count() > 1 ? 128 + interrupts.signal() : 0;
  }

  std::vector<std::string> models_;
  std::vector<std::string> aliases_;
  std::string first_prompt_;
};

}  // namespace

std::unique_ptr<Verb> make_serve_verb() { return std::make_unique<ServeVerb>(); }

}  // namespace llama_gpu::app
