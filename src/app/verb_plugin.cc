// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "app/plugin_admin.h"
#include "app/plugin_config.h"
#include "app/plugin_scaffold.h"
#include "app/plugin_text.h"
#include "app/plugin_trial.h"
#include "app/serve_plan.h"
#include "app/verbs.h"
#include "base/log.h"
#include "base/strings.h"
#include "plugins/package.h"
#include "server/render_plugin.h"

namespace llama_gpu::app {
namespace {

using Json = PluginAdmin::Json;
using Kind = plugins::PluginChange::Kind;

constexpr std::array kPluginSettings = {SettingId::kPluginsDir, SettingId::kPluginsAllowUnsigned,
                                        SettingId::kServerApiKey};
constexpr int64_t kUsualPort = 8484;  // where the settings leave the port to the system

// Looks after the plugins of a running server or, where none answers, of its folder.
class PluginVerb final : public Verb {
 public:
  void declare(CLI::App& command) override {
    command.require_subcommand(1);
    declare_views(command);
    declare_changes(command);
    declare_tools(command);
    command.footer(
        "Works on the server at --url, by default on the one that the settings describe. Where none answers\n"
        "there, and no --url was given, it works on plugins.dir itself: such changes take effect when a "
        "server\n"
        "starts. A change prints its plan first; what grants permissions asks before it is done.");
  }

  std::span<const SettingId> setting_flags() const override { return kPluginSettings; }

  Result<int> run(VerbContext& context) override {
    for (const auto& [command, action] : actions_) {
      if (command->parsed()) return (this->*action)(context);
    }
    return Error{ErrorCode::kInternal, "no subcommand was chosen"};
  }

 private:
  using Action = Result<int> (PluginVerb::*)(VerbContext& context);

  // ---- Command line

  CLI::App& add(CLI::App& command, const char* name, const char* help, Action action) {
    CLI::App* const added = command.add_subcommand(name, help);
    added->fallthrough();
    actions_.emplace_back(added, action);
    return *added;
  }

  void add_server(CLI::App& command) {
    command.add_option("--url", url_, "The running server")->type_name("URL");
    command.add_flag("--offline", is_offline_, "Work on plugins.dir, without a server");
    command.add_flag("--insecure", is_insecure_, "Send the API key over plain http to other machines, too");
    command.add_flag("--json", as_json_, "As JSON");
  }

  void declare_views(CLI::App& command) {
    add_server(add(command, "list", "Every plugin with its state", &PluginVerb::list));
    CLI::App& info = add(command, "info", "All about one plugin", &PluginVerb::info);
    info.add_option("id", id_, "PUBLISHER/NAME")->required();
    add_server(info);
    add_server(add(command, "generations", "The sets of plugins that can be rolled back to",
                   &PluginVerb::generations));
    CLI::App& events = add(command, "events", "What happened to plugins", &PluginVerb::events);
    events.add_flag("-f,--follow", is_following_, "Go on with what happens, until Ctrl-C");
    add_server(events);
  }

  CLI::App& add_change(CLI::App& command, const char* name, const char* help, Action action) {
    CLI::App& added = add(command, name, help, action);
    added.add_flag("--dry-run", is_dry_run_, "Only show the plan");
    added.add_flag("-y,--yes", is_agreed_, "Grant permissions without being asked");
    add_server(added);
    return added;
  }

  template <Kind kKind>
  void add_change_of_one(CLI::App& command, const char* name, const char* help) {
    add_change(command, name, help, &PluginVerb::change_one<kKind>)
        .add_option("id", id_, "PUBLISHER/NAME")
        ->required();
  }

  void declare_changes(CLI::App& command) {
    add_change(command, "install", "Install or update a plugin from its folder", &PluginVerb::install)
        .add_option("folder", folder_, "Folder that holds plugin.toml")
        ->required();
    add_change_of_one<Kind::kEnable>(command, "enable", "Run a plugin that was disabled");
    add_change_of_one<Kind::kDisable>(command, "disable", "Stop a plugin, and keep it");
    add_change_of_one<Kind::kReload>(command, "reload", "Put a new process in a plugin's place");
    add_change_of_one<Kind::kRemove>(command, "remove", "Remove a plugin");
    add_change_of_one<Kind::kRelease>(command, "release", "Let a plugin's quarantined packages run again");
    CLI::App& configure =
        add_change(command, "configure", "Change a plugin's configuration", &PluginVerb::configure);
    configure.add_option("id", id_, "PUBLISHER/NAME")->required();
    configure.add_option("--set", assignments_, "Set one value; may be given several times")
        ->type_name("KEY=VALUE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    configure.add_option("--file", config_file_, "Take all of it from a JSON file")->type_name("FILE");
    add_change(command, "rollback", "Go back to an earlier set of plugins", &PluginVerb::rollback)
        .add_option("generation", generation_,
                    "Its number; without one, what there was before the last change")
        ->check(CLI::NonNegativeNumber);
  }

  void declare_tools(CLI::App& command) {
    CLI::App& validate =
        add(command, "validate", "Check a plugin's folder, without running it", &PluginVerb::validate);
    CLI::App& test =
        add(command, "test", "Take a plugin through its life, without a server", &PluginVerb::test);
    CLI::App& create = add(command, "new", "Make the folder of a new plugin, in Python", &PluginVerb::create);
    for (CLI::App* each : {&validate, &test, &create}) {
      each->add_option("folder", folder_, "The plugin's folder")->required();
      each->add_flag("--json", as_json_, "As JSON");
    }
    test.add_option("--message", message_, "What its request filter is given")->type_name("TEXT");
    create.add_option("--id", id_, "PUBLISHER/NAME; without it local/ and the folder's name");
  }

  // ---- Where it works

  Result<PluginAdmin*> admin(VerbContext& context) {
    const Settings& settings = context.settings.values;
    const int64_t port = settings.server.port == 0 ? kUsualPort : settings.server.port;
    const std::string url = url_.empty() ? local_url(settings.server.host, static_cast<int>(port)) : url_;
    if (!is_offline_) {
      http_.emplace(context.environment, context.interrupts.flag());
      RemoteServer server = remote_server(url, settings.server.api_key);
      server.allow_plain_key = is_insecure_;
      const auto version = call_server(*http_, server, "/version");
      if (version.ok()) return use(std::make_unique<RemotePlugins>(*http_, std::move(server)));
      const bool is_absent = version.error().code == ErrorCode::kServerUnreachable;
      if (!is_absent || !url_.empty()) return version.error();
    }
    return use(std::make_unique<StoredPlugins>(settings.plugins.dir, settings.plugins.allow_unsigned));
  }

  PluginAdmin* use(std::unique_ptr<PluginAdmin> admin) {
    admin_ = std::move(admin);
    return admin_.get();
  }

  // ---- Views

  Result<int> show(Console& console, const Result<Json>& document,
                   void (*print)(std::ostream& out, const Json& json)) const {
    if (!document.ok()) return document.error();
    if (as_json_) {
      console.out << document->dump(2) << "\n";
    } else {
      print(console.out, *document);
    }
    return 0;
  }

  Result<int> list(VerbContext& context) {
    TRY(PluginAdmin* const plugins, admin(context));
    const auto document = plugins->list();
    const bool is_empty = document.ok() && json_member(*document, "plugins").empty();
    if (is_empty && !as_json_)
      context.console.err << "no plugins: `llama-gpu plugin install FOLDER` brings one\n";
    return show(context.console, document, print_plugins);
  }

  Result<int> info(VerbContext& context) {
    TRY(PluginAdmin* const plugins, admin(context));
    return show(context.console, plugins->info(id_), print_plugin);
  }

  Result<int> generations(VerbContext& context) {
    TRY(PluginAdmin* const plugins, admin(context));
    return show(context.console, plugins->generations(), print_generations);
  }

  Result<int> events(VerbContext& context) {
    TRY(PluginAdmin* const plugins, admin(context));
    TRY_STATUS(plugins->events(is_following_, [&](const Json& event) {
      if (as_json_) {
        context.console.out << event.dump() << std::endl;
      } else {
        print_event(context.console.out, event);
      }
      return true;
    }));
    return 0;
  }

  // ---- Changes

  template <Kind kKind>
  Result<int> change_one(VerbContext& context) {
    TRY(PluginAdmin* const plugins, admin(context));
    return change(context, *plugins, {.kind = kKind, .plugin = id_});
  }

  Result<int> install(VerbContext& context) {
    TRY(PluginAdmin* const plugins, admin(context));
    const std::string folder = std::filesystem::absolute(folder_).lexically_normal().string();
    return change(context, *plugins,
                  {.kind = Kind::kInstall,
                   .source = folder,
                   .allows_unsigned = context.settings.values.plugins.allow_unsigned});
  }

  Result<int> rollback(VerbContext& context) {
    TRY(PluginAdmin* const plugins, admin(context));
    return change(context, *plugins, {.kind = Kind::kRollback, .generation = generation_});
  }

  Result<int> configure(VerbContext& context) {
    if (config_file_.empty() == assignments_.empty()) {
      return Error{ErrorCode::kInvalidRequest, "there is nothing to configure",
                   "give --set KEY=VALUE, or --file FILE, not both"};
    }
    TRY(PluginAdmin* const plugins, admin(context));
    Json config;
    if (!config_file_.empty()) {
      TRY(config, read_config_file(config_file_));
    } else {
      TRY(const Json plugin, plugins->info(id_));
      TRY(config, with_assignments(json_member(plugin, "config"), assignments_));
    }
    return change(context, *plugins, {.kind = Kind::kConfigure, .plugin = id_, .config = config.dump()});
  }

  Result<int> change(VerbContext& context, PluginAdmin& plugins, const plugins::PluginChange& change) {
    Console& console = context.console;
    TRY(const Json plan, plugins.plan(change));
    if (is_dry_run_) return show(console, plan, print_plan);
    if (!as_json_) print_plan(console.out, plan);
    console.out << std::flush;
    const bool is_granting = !json_member(json_member(plan, "plan"), "new_permissions").empty();
    if (is_granting && !is_agreed_) TRY_STATUS(ask_person(console));
    TRY(const Json done, plugins.apply(change));
    if (as_json_) {
      console.out << done.dump(2) << "\n";
    } else {
      console.out << "generation " << json_line(json_member(done, "generation"), "number") << "\n";
    }
    if (!plugins.note().empty()) console.err << plugins.note() << std::endl;
    return 0;
  }

  static Status ask_person(Console& console) {
    const Error refused{ErrorCode::kCancelled, "nothing was changed: its permissions were not granted",
                        "--yes grants them"};
    if (!console.in_is_terminal) return refused;
    console.err << "Grant these permissions? [y/N] " << std::flush;
    std::string answer;
    std::getline(console.in, answer);
    const std::string word = to_lower(trim(answer));
    if (word != "y" && word != "yes") return refused;
    return {};
  }

  // ---- Tools

  Result<int> validate(VerbContext& context) {
    TRY(const plugins::PluginPackage package, plugins::read_package(folder_));
    TRY(const plugins::Version host_api, plugins::parse_version(plugins::kHostApiVersion));
    TRY_STATUS(plugins::check_host_api(package.manifest, host_api));
    plugins::PluginStatus status;
    status.id = package.manifest.id;
    status.version = to_string(package.manifest.version);
    status.digest = package.digest;
    status.state = plugins::PluginState::kValidated;
    status.is_required = package.manifest.required;
    status.config = package.manifest.default_config;
    status.manifest = package.manifest;
    if (as_json_) {
      context.console.out << Json::parse(server::render_plugin(status)).dump(2) << "\n";
    } else {
      context.console.out << escape_line(status.id) << " " << status.version
                          << " is valid: " << package.files.size() << " files, " << package.digest << "\n";
    }
    return 0;
  }

  Result<int> create(VerbContext& context) {
    const std::filesystem::path folder(folder_);
    const std::string name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
    TRY(const std::vector<std::string> files, make_plugin(folder_, id_.empty() ? "local/" + name : id_));
    if (as_json_) {
      context.console.out << Json{{"files", files}}.dump(2) << "\n";
      return 0;
    }
    for (const std::string& file : files) context.console.out << escape_line(file) << "\n";
    context.console.err << "`llama-gpu plugin test " << escape_line(folder_) << "` runs it" << std::endl;
    return 0;
  }

  Result<int> test(VerbContext& context) {
    // The report says it all; who wants to see more asks for it.
    const bool is_asked = context.settings.origin(SettingId::kLogLevel).source != SettingSource::kDefault;
    if (!is_asked) configure_logging({.level = LogLevel::kError, .use_colour = context.console.use_colour});
    TRY(const TrialReport report,
        try_plugin({.folder = folder_, .worker_program = context.worker_program, .message = message_}));
    Json json = {{"ok", report.is_good()}, {"steps", Json::array()}, {"log", Json::array()}};
    for (const TrialStep& step : report.steps) {
      json["steps"].push_back(
          {{"name", step.name}, {"ok", step.is_good}, {"detail", repair_utf8(step.detail)}});
      if (!as_json_) {
        context.console.out << (step.is_good ? "ok      " : "FAILED  ") << step.name
                            << (step.detail.empty() ? "" : ": ") << escape_line(step.detail) << "\n";
      }
    }
    for (const std::string& line : report.log) {
      json["log"].push_back(repair_utf8(line));
      if (!as_json_) context.console.out << "log     " << escape_line(line) << "\n";
    }
    if (as_json_) context.console.out << json.dump(2) << "\n";
    return report.is_good() ? 0 : error_code_info(ErrorCode::kPluginFailed).exit_code;
  }

  std::vector<std::pair<CLI::App*, Action>> actions_;
  std::string id_, folder_, url_, config_file_;
  std::vector<std::string> assignments_;
  std::string message_ = TrialOptions().message;
  std::optional<uint64_t> generation_;
  bool is_offline_ = false, is_insecure_ = false, as_json_ = false, is_dry_run_ = false, is_agreed_ = false,
       is_following_ = false;
  std::optional<HttpClient> http_;
  std::unique_ptr<PluginAdmin> admin_;
};

}  // namespace

std::unique_ptr<Verb> make_plugin_verb() { return std::make_unique<PluginVerb>(); }

}  // namespace llama_gpu::app
