// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "app/http_client.h"
#include "app/pull.h"
#include "app/verbs.h"
#include "base/clock.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

class PullVerb final : public Verb {
 public:
  void declare(CLI::App& command) override {
    command.add_option("source", source_, "https URL or path of a model file")
        ->required()
        ->type_name("URL|PATH");
    command.add_option("--sha256", sha256_, "Refuse the file unless it has this SHA-256")->type_name("HEX");
    command.add_flag("--force,--replace", replace_, "Replace a file of that name that is there already");
    command.footer(
        "What has arrived is kept in NAME.part when a pull breaks off, is stopped or finds the disk full; "
        "the\n"
        "next pull of the same source goes on from there. A file whose SHA-256 is wrong is removed. Of a\n"
        "GGUF file the header and the places of its tensors are checked before it gets its name.");
  }

  Result<int> run(VerbContext& context) override {
    const HttpClient http(context.environment, context.interrupts.flag());
    PullOptions options{.source = source_, .folder = context.settings.values.models.dir};
    options.sha256 = sha256_;
    options.replace = replace_;

    std::unique_ptr<ProgressBar> bar;
    const SteadyTime begun = system_clock().now();
    options.on_progress = [&](uint64_t done_bytes, uint64_t total_bytes) {
      if (!bar) bar = std::make_unique<ProgressBar>(context.console, label(), total_bytes);
      bar->update(done_bytes, std::chrono::duration<double>(system_clock().now() - begun).count());
    };
    Result<PulledFile> file = pull(options, http, context.interrupts.flag());
    bar.reset();
    if (!file.ok()) return std::move(file).error();
    if (file->was_there) say_that_it_was_there(context.console, *file);
    context.console.out << file->path << "\n";
    return 0;
  }

 private:
  std::string label() const {
    const Result<std::string> name = file_name_of_source(source_);
    return name.ok() ? *name : "file";
  }

  static void say_that_it_was_there(Console& console, const PulledFile& file) {
    console.err << "it is there already";
    if (!file.not_compared.empty())
      console.err << ", not compared with the source: " << escape_line(file.not_compared);
    console.err << std::endl;
  }

  std::string source_;
  std::string sha256_;
  bool replace_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_pull_verb() { return std::make_unique<PullVerb>(); }

}  // namespace llama_gpu::app
