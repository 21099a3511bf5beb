// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "app/backends.h"
#include "app/dashboard_assets.h"
#include "app/first_answer.h"
#include "app/model_library.h"
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

server::ServerOptions server_options(const Settings& settings) {
  server::ServerOptions options;
  options.host = settings.server.host;
  options.port = static_cast<uint16_t>(settings.server.port);
  if (!settings.server.api_key.empty()) options.api_keys = {settings.server.api_key};
  options.insecure_no_auth = settings.server.insecure_no_auth;
  options.allowed_hosts = settings.server.allowed_hosts;
  options.max_body_bytes = settings.server.max_body_bytes;
  options.max_connections = settings.server.max_connections;
  options.version = std::string(program_version());
  return options;
}

std::string url_of(const std::string& host, uint16_t port) {
  const bool is_v6 = host.find(':') != std::string::npos;
  return "http://" + (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

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
    command.add_option("--alias", aliases_, "Another name for a model: NAME, or NAME=MODEL")
        ->type_name("NAME");
    command.add_option("--first-prompt", first_prompt_,
                       "Answer this in the terminal once the model is ready");
  }

  std::span<const SettingId> setting_flags() const override { return kServeSettings; }

  Result<int> run(VerbContext& context) override {
    const Settings& settings = context.settings.values;
    TRY(std::vector<supervisor::ModelSpec> specs, model_specs(settings));
    const std::string first_model = specs.front().id;

    telemetry::Registry metrics;
    supervisor::ModelHostOptions host_options;
    host_options.program_version = program_version();
    TRY(const std::unique_ptr<supervisor::SupervisedModelHost> host,
        supervisor::SupervisedModelHost::start(std::move(specs), std::move(host_options)));
    TRY(const std::unique_ptr<server::Server> server,
        server::Server::start(server_options(settings),
                              {.host = *host, .metrics = metrics, .assets = dashboard_assets()}));
    announce(context.console, url_of(settings.server.host, server->port()));

    TRY_STATUS(wait_until_loaded(context.interrupts, *host));
    if (!first_prompt_.empty()) {
      // The server stands, whatever became of its first answer.
      const Status shown =
          show_first_answer(*host, first_model, first_prompt_, context.console, context.interrupts.flag());
      if (!shown.ok()) report(context.console, shown.error());
      if (!context.interrupts.flag()) {
        context.console.err << "Serving until Ctrl-C: " << url_of(settings.server.host, server->port())
                            << std::endl;
      }
    }
    while (!context.interrupts.flag()) context.interrupts.wait_for(std::chrono::seconds(3600));
    drain(context, *host, *server);
    return 0;
  }

 private:
  Result<std::vector<supervisor::ModelSpec>> model_specs(const Settings& settings) const {
    std::vector<std::string> aliases = settings.models.aliases;
    std::vector<ModelAlias> own_aliases;
    for (const std::string& text : aliases_) {
      TRY(ModelAlias alias, parse_alias(text));
      own_aliases.push_back(std::move(alias));
    }
    const ModelLibrary library(settings.models.dir, aliases);
    std::vector<std::string> names = models_;
    if (names.empty()) names.emplace_back(kDefaultModelId);

    std::vector<supervisor::ModelSpec> specs;
    for (const std::string& name : names) {
      TRY(const StoredModel model, library.find(name));
      supervisor::ModelSpec spec{.id = model.id,
                                 .aliases = {},
                                 .created_unix_seconds = model.modified_unix_seconds,
                                 .options = engine_options(settings, model.path)};
      for (const ModelAlias& alias : own_aliases) {
        if (alias.model.empty() ? specs.empty() : alias.model == model.id || alias.model == name) {
          spec.aliases.push_back(alias.name);
        }
      }
      specs.push_back(std::move(spec));
    }
    return specs;
  }

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
