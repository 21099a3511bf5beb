// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/model_library.h"
#include "app/verbs.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

using Json = nlohmann::ordered_json;

class ListVerb final : public Verb {
 public:
  void declare(CLI::App& command) override { command.add_flag("--json", as_json_, "As JSON"); }

  Result<int> run(VerbContext& context) override {
    const ModelLibrary library(context.settings.values.models.dir, context.settings.values.models.aliases);
    TRY(const std::vector<StoredModel> models, library.list());
    if (as_json_) {
      list_json(context.console, models);
    } else if (models.empty()) {
      context.console.err << "no models in '" << escape_line(library.folder())
                          << "': `llama-gpu pull URL` brings one" << std::endl;
    } else {
      list_text(context.console, models);
    }
    return 0;
  }

 private:
  static void list_json(Console& console, const std::vector<StoredModel>& models) {
    Json list = Json::array();
    for (const StoredModel& model : models) {
      list.push_back({{"id", repair_utf8(model.id)},
                      {"file", repair_utf8(model.file_name)},
                      {"path", repair_utf8(model.path)},
                      {"size_bytes", model.size_bytes},
                      {"modified", model.modified_unix_seconds}});
    }
    console.out << Json{{"models", std::move(list)}}.dump(2) << "\n";
  }

  static void list_text(Console& console, const std::vector<StoredModel>& models) {
    size_t width = 4;
    for (const StoredModel& model : models) width = std::max(width, model.id.size());
    console.out << fmt::format("{:<{}}  {:>9}  {:<10}  {}\n", "NAME", width, "SIZE", "MODIFIED", "FILE");
    for (const StoredModel& model : models) {
      console.out << fmt::format(
          "{:<{}}  {:>9}  {:<10}  {}\n", escape_line(model.id), width, format_size(model.size_bytes),
          format_utc(model.modified_unix_seconds * 1000).substr(0, 10), escape_line(model.file_name));
    }
  }

  bool as_json_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_list_verb() { return std::make_unique<ListVerb>(); }

}  // namespace llama_gpu::app
