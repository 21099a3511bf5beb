// SPDX-License-Identifier: Apache-2.0
#include "app/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "app/verb.h"
#include "app/version.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

constexpr int kUsageExit = 2;

constexpr SettingId kCommonSettings[] = {SettingId::kLogLevel, SettingId::kLogFormat, SettingId::kModelsDir};

// A flag of a setting, as text: the settings read and check it like every other source.
struct FlagValue {
  SettingId id;
  std::vector<std::string> texts;
  bool is_given = false;
};

std::string type_name(SettingType type) {
  switch (type) {
    case SettingType::kInteger:
      return "INT";
    case SettingType::kSize:
      return "SIZE";
    case SettingType::kPath:
      return "PATH";
    default:
      return "TEXT";
  }
}

// Of a flag that is given twice the last counts, so that a script's can be overridden; lists keep all.
void let_last_count(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    const bool is_single = !option->get_positional() && option->get_items_expected_max() == 1;
    if (is_single && option->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw)
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
}

// The verbs as CLI11 knows them, with what was given on the command line.
class CommandLine {
 public:
  CommandLine();

  CLI::App& root() { return root_; }
  // The verb that was named and its command; null before parsing, or where none was.
  Verb* chosen_verb() const;
  const CLI::App* chosen_command() const;
  const std::string& config_path() const { return config_path_; }
  bool no_colour() const { return no_colour_; }
  std::vector<SettingFlag> setting_flags() const;

 private:
  struct Entry {
    CLI::App* command;
    std::unique_ptr<Verb> verb;
  };

  void add_setting_flag(CLI::App& command, SettingId id);

  CLI::App root_{"Runs LLaMA-family models, and serves them behind an API that speaks OpenAI's protocol.",
                 "llama-gpu"};
  std::vector<Entry> entries_;
  std::deque<FlagValue> flags_;  // a deque: CLI11 keeps addresses
  std::string config_path_;
  bool no_colour_ = false;
};

CommandLine::CommandLine() {
  root_.require_subcommand(1);
  root_.set_version_flag("--version", "llama-gpu " + std::string(program_version()));
  root_.add_option("--config", config_path_, "Settings file")->type_name("FILE");
  root_.add_flag("--no-color", no_colour_, "No colours on the terminal");
  for (SettingId id : kCommonSettings) add_setting_flag(root_, id);
  let_last_count(root_);
  for (const VerbEntry& entry : verbs()) {
    CLI::App* const command = root_.add_subcommand(std::string(entry.name), std::string(entry.summary));
    command->fallthrough();
    if (entry.is_hidden) command->group("");
    std::unique_ptr<Verb> verb = entry.make();
    verb->declare(*command);
    for (SettingId id : verb->setting_flags()) add_setting_flag(*command, id);
    let_last_count(*command);
    entries_.push_back({command, std::move(verb)});
  }
}

void CommandLine::add_setting_flag(CLI::App& command, SettingId id) {
  const SettingInfo& info = setting_info(id);
  FlagValue& value = flags_.emplace_back(FlagValue{id, {}});
  const std::string name(info.flag), help(info.help);
  if (info.type == SettingType::kBoolean) {
    command.add_flag(name, value.is_given, help);
    return;
  }
  CLI::Option* const option =
      command.add_option(name, value.texts, help)->type_name(type_name(info.type))->expected(1);
  option->multi_option_policy(info.type == SettingType::kList ? CLI::MultiOptionPolicy::TakeAll
                                                              : CLI::MultiOptionPolicy::TakeLast);
}

Verb* CommandLine::chosen_verb() const {
  for (const Entry& entry : entries_) {
    if (entry.command->parsed()) return entry.verb.get();
  }
  return nullptr;
}

const CLI::App* CommandLine::chosen_command() const {
  for (const Entry& entry : entries_) {
    if (entry.command->parsed()) return entry.command;
  }
  return nullptr;
}

std::vector<SettingFlag> CommandLine::setting_flags() const {
  std::vector<SettingFlag> flags;
  for (const FlagValue& value : flags_) {
    if (value.is_given) flags.push_back({value.id, "true"});
    if (value.texts.empty()) continue;
    flags.push_back(
        {value.id, join(std::vector<std::string_view>(value.texts.begin(), value.texts.end()), ",")});
  }
  return flags;
}

int usage_error(Console& console, const std::string& message, std::string_view verb) {
  const std::string help = verb.empty() ? "llama-gpu --help" : "llama-gpu " + std::string(verb) + " --help";
  console.err << "llama-gpu: " << escape_line(message) << " (`" << help << "` shows what there is)"
              << std::endl;
  return kUsageExit;
}

// The flags of a command, of the subcommand that was named, and of the root, which they fall through to.
std::vector<std::string> known_flags(const CLI::App& root, const CLI::App* command) {
  std::vector<const CLI::App*> apps = {&root};
  if (command != nullptr) {
    apps.push_back(command);
    for (const CLI::App* subcommand : command->get_subcommands()) apps.push_back(subcommand);
  }
  std::vector<std::string> names;
  for (const CLI::App* app : apps) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

// What nobody took: a misspelt flag, or one word too many.
std::string unknown_argument(CommandLine& line) {
  const CLI::App* const command = line.chosen_command();
  std::vector<std::string> extras = line.root().remaining(true);
  if (extras.empty()) return "an argument is not understood";
  const auto flag =
      std::ranges::find_if(extras, [](const std::string& text) { return text.starts_with('-'); });
  if (flag == extras.end()) return "unexpected argument '" + extras.front() + "'";
  const std::vector<std::string> names = known_flags(line.root(), command);
  const std::string given = flag->substr(0, flag->find('='));
  return "unknown flag '" + given + "'" +
         did_you_mean(given, std::vector<std::string_view>(names.begin(), names.end()));
}

// "config" without "show", or with "sho".
std::string missing_verb(CommandLine& line) {
  const CLI::App* const command = line.chosen_command();
  const CLI::App& parent = command != nullptr ? *command : line.root();
  std::vector<std::string> names;
  for (const CLI::App* child : parent.get_subcommands([](const CLI::App*) { return true; })) {
    if (!child->get_group().empty()) names.push_back(child->get_name());
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::vector<std::string> extras = line.root().remaining(true);
  const auto word =
      std::ranges::find_if(extras, [](const std::string& text) { return !text.starts_with('-'); });
  if (word == extras.end()) return "a verb is missing, expected one of " + join(known, ", ");
  return "unknown verb '" + *word + "'" + did_you_mean(*word, known);
}

// What CLI11 found wrong, in the words of all other messages. Its texts begin with the flag and a colon, or
// have the flag in them.
std::string parse_problem(CommandLine& line, const CLI::ParseError& error) {
  std::string text = error.what();
  const std::string flag = text.substr(0, text.find(':'));
  switch (CLI::ExitCodes(error.get_exit_code())) {
    case CLI::ExitCodes::ExtrasError:
      return unknown_argument(line);
    case CLI::ExitCodes::RequiredError:
      return text.starts_with("A subcommand") ? missing_verb(line) : text;
    case CLI::ExitCodes::ArgumentMismatch:
      return flag + ": a value is missing";
    case CLI::ExitCodes::ConversionError: {
      const size_t begin = std::min(text.find("--"), text.size());
      return text.substr(begin, text.find_first_of(" :=", begin) - begin) + ": no value is expected";
    }
    default:
      return text;
  }
}

// Prints help and the version, or says what is wrong. Returns the exit code.
int parse_stopped(CommandLine& line, const CLI::ParseError& error, Console& console) {
  if (error.get_exit_code() == int(CLI::ExitCodes::Success)) {
    if (error.get_name() == "CallForVersion") {
      console.out << line.root().version() << std::endl;
    } else {
      // Of the verb, where one was named.
      console.out << line.root().help() << std::flush;
    }
    return 0;
  }
  const CLI::App* const command = line.chosen_command();
  const std::string verb = command != nullptr ? command->get_name() : "";
  return usage_error(console, parse_problem(line, error), verb);
}

std::optional<std::string> unknown_verb(std::span<const std::string> arguments) {
  if (arguments.empty() || arguments[0].starts_with('-')) return std::nullopt;
  std::vector<std::string_view> names;
  for (const VerbEntry& entry : verbs()) {
    if (entry.name == arguments[0]) return std::nullopt;
    if (!entry.is_hidden) names.push_back(entry.name);
  }
  return "unknown verb '" + arguments[0] + "'" + did_you_mean(arguments[0], names);
}

Status use_failpoints(const LoadedSettings& settings) {
  const Status set = set_failpoints(settings.values.debug.failpoints);
  if (set.ok()) return {};
  Error error = set.error();
  error.code = ErrorCode::kConfigInvalid;
  error.message = settings.origin(SettingId::kDebugFailpoints).where + ": " + error.message;
  return error;
}

Result<LoadedSettings> prepare(const CommandLine& line, const Process& process) {
  const std::string path = line.chosen_verb()->reads_settings_file() ? line.config_path() : "/dev/null";
  TRY(LoadedSettings settings, load_settings({process.environment, path, line.setting_flags()}));
  TRY_STATUS(use_failpoints(settings));
  configure_logging({.level = parse_log_level(settings.values.log.level).value_or(LogLevel::kInfo),
                     .format = settings.values.log.format == "json" ? LogFormat::kJson : LogFormat::kText,
                     .use_colour = process.console.use_colour});
  // A server's worker has the same environment: once is enough.
  if (line.chosen_verb()->reads_settings_file()) {
    for (const std::string& warning : settings.warnings) warn(process.console, warning);
  }
  return settings;
}

// Before anything else is read: a wrong flag is wrong whatever the settings file says.
Status check_flags(const CommandLine& line) {
  LoadedSettings none;
  return apply_flags(none, line.setting_flags());
}

Result<int> run_verb(const CommandLine& line, const Process& process) {
  TRY(const LoadedSettings settings, prepare(line, process));
  VerbContext context{process.console, process.environment, settings, process.interrupts,
                      process.worker_program};
  return line.chosen_verb()->run(context);
}

}  // namespace

int run_cli(std::span<const std::string> arguments, Process process) {
  if (const auto message = unknown_verb(arguments)) return usage_error(process.console, *message, "");
  CommandLine line;
  if (arguments.empty()) {
    process.console.err << line.root().help() << std::flush;
    return kUsageExit;
  }
  try {
    // CLI11 takes them from the back.
    line.root().parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return parse_stopped(line, error, process.console);
  }
  if (line.no_colour()) process.console.use_colour = false;
  if (const Status flags = check_flags(line); !flags.ok())
    return usage_error(process.console, flags.error().message, line.chosen_command()->get_name());

  const Result<int> result = run_verb(line, process);
  process.console.out.flush();
  if (result.ok() && *result == 0 && process.console.out.fail()) {
    return report(process.console, {ErrorCode::kIoFailed, "what was to be printed could not be written",
                                    "is the disk of standard output full?"});
  }
  if (result.ok()) return *result;
  const int signal = process.interrupts.signal();
  if (result.error().code == ErrorCode::kCancelled && signal != 0) {
    if (!result.error().hint.empty()) report(process.console, result.error());
    return 128 + signal;
  }
  return report(process.console, result.error());
}

}  // namespace llama_gpu::app
