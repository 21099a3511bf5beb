// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "app/model_library.h"
#include "app/verbs.h"
#include "base/strings.h"
#include "formats/checkpoint.h"
#include "tensor/dtype.h"

namespace llama_gpu::app {
namespace {

using Json = nlohmann::ordered_json;

// Of a vocabulary of 50,000 tokens a person wants to see that it is there.
constexpr size_t kMaxShownItems = 8;

// JSON has no numbers that are not finite.
Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json json_item(const std::string& text) { return repair_utf8(text); }
Json json_item(double value) { return json_number(value); }
template <typename T>
Json json_item(T value) {
  return value;
}

template <typename T>
Json json_array(const std::vector<T>& items, bool is_full) {
  Json list = Json::array();
  for (size_t i = 0; i < items.size() && (is_full || i < kMaxShownItems); ++i) {
    list.push_back(json_item(items[i]));
  }
  if (list.size() == items.size()) return list;
  return Json{{"count", items.size()}, {"first", std::move(list)}};
}

Json json_value(const formats::MetadataValue& value, bool is_full) {
  return std::visit(
      [&](const auto& held) -> Json {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, formats::MetadataArray>) {
          return std::visit([&](const auto& items) { return json_array(items, is_full); }, held);
        } else {
          return json_item(held);
        }
      },
      value.value);
}

// "Q4_1", as everybody writes it.
std::string type_name(DType dtype) {
  std::string name(dtype_info(dtype).name);
  for (char& c : name) c = c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c;
  return name;
}

// Tensors of one element type.
struct TypeSummary {
  int64_t num_tensors = 0;
  int64_t num_elements = 0;
  uint64_t size_bytes = 0;
};

std::map<std::string, TypeSummary, std::less<>> summarise(const formats::Checkpoint& checkpoint) {
  std::map<std::string, TypeSummary, std::less<>> types;
  for (const formats::TensorInfo& tensor : checkpoint.tensors()) {
    TypeSummary& type = types[type_name(tensor.dtype)];
    int64_t num_elements = 1;
    for (int64_t length : tensor.shape) num_elements *= length;
    ++type.num_tensors;
    type.num_elements += num_elements;
    type.size_bytes += tensor.size_bytes;
  }
  return types;
}

class ShowVerb final : public Verb {
 public:
  void declare(CLI::App& command) override {
    command.add_option("model", model_, "Name of a model in the models folder, or path of a file")
        ->required()
        ->type_name("MODEL|FILE");
    command.add_flag("--json", as_json_, "As JSON");
    command.add_flag("--full", is_full_, "Also long lists, such as the vocabulary");
    command.add_flag("--tensors", with_tensors_, "Also every tensor");
  }

  Result<int> run(VerbContext& context) override {
    const ModelLibrary library(context.settings.values.models.dir, context.settings.values.models.aliases);
    TRY(const StoredModel model, library.find(model_));
    TRY(const std::unique_ptr<formats::Checkpoint> checkpoint, formats::open_checkpoint(model.path));
    if (as_json_) {
      context.console.out << json_of(model, *checkpoint).dump(2) << "\n";
    } else {
      show_text(context.console, model, *checkpoint);
    }
    return 0;
  }

 private:
  Json json_of(const StoredModel& model, const formats::Checkpoint& checkpoint) const {
    Json types = Json::object();
    int64_t num_parameters = 0;
    for (const auto& [name, type] : summarise(checkpoint)) {
      types[name] = {
          {"tensors", type.num_tensors}, {"elements", type.num_elements}, {"size_bytes", type.size_bytes}};
      num_parameters += type.num_elements;
    }
    Json metadata = Json::object();
    for (const auto& [key, value] : checkpoint.metadata().all())
      metadata[repair_utf8(key)] = json_value(value, is_full_);

    Json warnings = Json::array();
    for (const std::string& warning : checkpoint.warnings()) warnings.push_back(repair_utf8(warning));

    Json json = {{"id", repair_utf8(model.id)},
                 {"path", repair_utf8(model.path)},
                 {"size_bytes", checkpoint.size_bytes()},
                 {"num_parameters", num_parameters},
                 {"num_tensors", checkpoint.tensors().size()},
                 {"types", std::move(types)},
                 {"warnings", std::move(warnings)},
                 {"metadata", std::move(metadata)}};
    if (with_tensors_) json["tensors"] = json_tensors(checkpoint);
    return json;
  }

  static Json json_tensors(const formats::Checkpoint& checkpoint) {
    Json list = Json::array();
    for (const formats::TensorInfo& tensor : checkpoint.tensors()) {
      list.push_back({{"name", repair_utf8(tensor.name)},
                      {"type", type_name(tensor.dtype)},
                      {"shape", tensor.shape},
                      {"size_bytes", tensor.size_bytes}});
    }
    return list;
  }

  void show_text(Console& console, const StoredModel& model, const formats::Checkpoint& checkpoint) const {
    console.out << fmt::format("id          {}\npath        {}\nsize        {}\n", escape_line(model.id),
                               escape_line(model.path), format_size(checkpoint.size_bytes()));
    for (const std::string& warning : checkpoint.warnings())
      console.out << fmt::format("warning     {}\n", escape_line(warning));
    console.out << fmt::format("tensors     {}\n", checkpoint.tensors().size());
    for (const auto& [name, type] : summarise(checkpoint)) {
      console.out << fmt::format("  {:<8}  {:>4} tensors  {:>15} elements  {:>9}\n", name, type.num_tensors,
                                 format_count(uint64_t(type.num_elements)), format_size(type.size_bytes));
    }
    console.out << "metadata\n";
    for (const auto& [key, value] : checkpoint.metadata().all()) {
      const Json json = json_value(value, is_full_);
      console.out << "  " << escape_line(key) << "  "
                  << escape_line(json.is_string() ? json.get<std::string>() : json.dump(),
                                 is_full_ ? 1 << 20 : 120)
                  << "\n";
    }
    if (!with_tensors_) return;
    for (const formats::TensorInfo& tensor : checkpoint.tensors()) {
      console.out << "  " << escape_line(tensor.name) << "  " << type_name(tensor.dtype) << "  "
                  << Json(tensor.shape).dump() << "\n";
    }
  }

  std::string model_;
  bool as_json_ = false;
  bool is_full_ = false;
  bool with_tensors_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_show_verb() { return std::make_unique<ShowVerb>(); }

}  // namespace llama_gpu::app
