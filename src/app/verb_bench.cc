// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "app/backends.h"
#include "app/bench.h"
#include "app/flag_checks.h"
#include "app/model_library.h"
#include "app/verbs.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kBenchSettings = {SettingId::kEngineThreads, SettingId::kEngineCtxSize,
                                       SettingId::kEngineBackend, SettingId::kEngineKvTokens,
                                       SettingId::kServerApiKey};
// Those of them that a server decides for itself.
constexpr std::span<const SettingId> kLocalBenchSettings = std::span(kBenchSettings).first(4);

std::string figure_text(const BenchFigure& figure, double value) {
  if (figure.name.ends_with("bytes_per_second")) return format_size(uint64_t(value)) + "/s";
  if (figure.name.ends_with("_bytes")) return format_size(uint64_t(value));
  if (figure.name.ends_with("_of_limit")) return fmt::format("{:.1f} %", value * 100);
  return fmt::format("{:.2f}", value);
}

class BenchVerb final : public Verb {
 public:
  void declare(CLI::App& command) override {
    command.add_option("model", model_, "Model, default " + std::string(kDefaultModelId))->type_name("MODEL");
    command.add_option("--prompt", work_.prompt_tokens, "Tokens of each prompt")
        ->transform(integer_in({1, 1 << 24}))
        ->capture_default_str();
    command.add_option("--generate", work_.generate_tokens, "Tokens sampled from each stream")
        ->transform(integer_in({1, 1 << 24}))
        ->capture_default_str();
    command.add_option("--streams", work_.streams, "Sequences at once")
        ->transform(integer_in({1, 1024}))
        ->capture_default_str();
    command.add_option("--repeat", work_.repeats, "Times that all is measured")
        ->transform(integer_in({1, 1000}))
        ->capture_default_str();
    command.add_option("--url", url_, "Measure this running server over HTTP");
    command.add_flag("--insecure", insecure_, "With --url: send the API key over plain http, too");
    command.add_flag("--json", as_json_, "As JSON");
    command.footer(
        "Prefill: prompts of --prompt tokens, one token sampled from each. Decode: prompts of one token, "
        "--generate\n"
        "tokens sampled. Both by the wall clock from the first submit to the last sampled token. The limit "
        "of decode\n"
        "is the read bandwidth, measured beside it: a step reads every weight once.");
  }

  std::span<const SettingId> setting_flags() const override { return kBenchSettings; }

  Result<int> run(VerbContext& context) override {
    TRY(const BenchReport report, url_.empty() ? local(context) : remote(context));
    if (as_json_) {
      show_json(context.console, report);
    } else {
      show_text(context.console, report);
    }
    return 0;
  }

 private:
  Result<BenchReport> local(VerbContext& context) const {
    const Settings& settings = context.settings.values;
    const ModelLibrary library(settings.models.dir, settings.models.aliases);
    TRY(const StoredModel model, library.find(model_.empty() ? kDefaultModelId : std::string_view(model_)));
    TRY(BenchReport report,
        bench_local(make_backends(), engine_options(settings, model.path), work_, context.interrupts.flag()));
    report.model = model.id;
    return report;
  }

  Result<BenchReport> remote(VerbContext& context) const {
    const std::string flags = given_flags(context.settings, kLocalBenchSettings);
    if (!flags.empty()) warn(context.console, flags + ": no effect with --url, where the server decides");
    const HttpClient http(context.environment, context.interrupts.flag());
    RemoteServer server = remote_server(url_, context.settings.values.server.api_key);
    server.allow_plain_key = insecure_;
    return bench_remote(http, server, model_, work_);
  }

  static void show_json(Console& console, const BenchReport& report) {
    Json json = {{"model", repair_utf8(report.model)},  {"backend", report.backend},
                 {"prompt", report.work.prompt_tokens}, {"generate", report.work.generate_tokens},
                 {"streams", report.work.streams},      {"repeat", report.work.repeats}};
    for (const BenchFigure& figure : report.figures) {
      json[figure.name] = {{"median", figure.median()}, {"min", figure.min()}, {"max", figure.max()}};
    }
    console.out << json.dump(2) << "\n";
  }

  static void show_text(Console& console, const BenchReport& report) {
    console.out << fmt::format("{} on {}: {} prompt tokens, {} generated, {} streams, {} repeats\n",
                               escape_line(report.model), report.backend, report.work.prompt_tokens,
                               report.work.generate_tokens, report.work.streams, report.work.repeats);
    console.out << fmt::format("{:<34}{:>14}{:>14}{:>14}\n", "", "median", "min", "max");
    for (const BenchFigure& figure : report.figures) {
      console.out << fmt::format("{:<34}{:>14}{:>14}{:>14}\n", figure.name,
                                 figure_text(figure, figure.median()), figure_text(figure, figure.min()),
                                 figure_text(figure, figure.max()));
    }
  }

  std::string model_;
  BenchWork work_;
  std::string url_;
  bool insecure_ = false;
  bool as_json_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_bench_verb() { return std::make_unique<BenchVerb>(); }

}  // namespace llama_gpu::app
