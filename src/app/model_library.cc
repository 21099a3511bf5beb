// SPDX-License-Identifier: Apache-2.0
#include "app/model_library.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>

#include "base/file.h"
#include "base/strings.h"
#include "formats/mapped_file.h"

namespace llama_gpu::app {
namespace {

constexpr std::string_view kExtension = ".gguf";

std::string stem_of(std::string_view file_name) {
  if (to_lower(file_name).ends_with(kExtension)) file_name.remove_suffix(kExtension.size());
  return to_lower(file_name);
}

// "q4_1", "q4_k_m", "iq3_xs", "f16", "bf16", "fp32"
bool is_quantisation(std::string_view word) {
  if (word == "f16" || word == "f32" || word == "bf16" || word == "fp16" || word == "fp32") return true;
  if (word.starts_with('i')) word.remove_prefix(1);
  return word.size() >= 2 && word[0] == 'q' && word[1] >= '1' && word[1] <= '8' &&
         word.find_first_not_of("qkmsxl_0123456789") == std::string_view::npos;
}

Result<StoredModel> stored_model(const std::string& path) {
  TRY_STATUS(formats::check_model_path(path));
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return file_error(errno, "read", path);
  StoredModel model;
  model.file_name = std::filesystem::path(path).filename().string();
  model.id = model_id_of_file(model.file_name);
  model.path = path;
  model.size_bytes = uint64_t(info.st_size);
  model.modified_unix_seconds = info.st_mtime;
  return model;
}

// Two quantisations of one model would have one id: both then keep theirs in it.
void make_ids_unique(std::vector<StoredModel>& models) {
  std::map<std::string, int> counts;
  for (const StoredModel& model : models) ++counts[model.id];
  for (StoredModel& model : models) {
    if (counts[model.id] > 1) model.id = stem_of(model.file_name);
  }
}

Error ambiguous(std::string_view name, const std::vector<const StoredModel*>& matches) {
  std::string ids;
  for (const StoredModel* match : matches) ids += (ids.empty() ? "'" : ", '") + match->id + "'";
  return Error{ErrorCode::kModelNotFound, "'" + escape_line(name, 200) + "' may be any of " + ids,
               "name one of them"};
}

bool looks_like_path(std::string_view name) {
  return name.find('/') != std::string_view::npos || name.starts_with('.');
}

}  // namespace

std::string model_id_of_file(std::string_view file_name) {
  std::string id = stem_of(file_name);
  const size_t cut = id.find_last_of(".-");
  if (cut != std::string::npos && cut > 0 && is_quantisation(std::string_view(id).substr(cut + 1)))
    id.resize(cut);
  return id;
}

Result<ModelAlias> parse_alias(std::string_view text) {
  const auto [name, model] = split_once(text, '=');
  const bool has_model = text.find('=') != std::string_view::npos;
  if (trim(name).empty() || (has_model && trim(model).empty()) || escape_line(name) != name) {
    return Error{ErrorCode::kConfigInvalid, "'" + escape_line(text, 200) + "' is not an alias",
                 "write NAME=MODEL", "models.aliases"};
  }
  return ModelAlias{std::string(trim(name)), std::string(trim(model))};
}

ModelLibrary::ModelLibrary(std::string folder, std::vector<std::string> aliases)
    : folder_(std::move(folder)), aliases_(std::move(aliases)) {}

Result<std::vector<StoredModel>> ModelLibrary::list() const {
  std::vector<StoredModel> models;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder_, error);
  if (error == std::errc::no_such_file_or_directory) return models;
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.') || !to_lower(name).ends_with(kExtension)) continue;
    // A file that vanishes meanwhile, or a folder of that name, is not a model.
    if (Result<StoredModel> model = stored_model(entry->path().string()); model.ok()) {
      models.push_back(*std::move(model));
    }
  }
  if (error) return file_error(error.value(), "list", folder_);
  make_ids_unique(models);
  std::ranges::sort(models, {}, &StoredModel::id);
  return models;
}

Result<StoredModel> ModelLibrary::find(std::string_view name) const {
  for (const std::string& text : aliases_) {
    TRY(const ModelAlias alias, parse_alias(text));
    if (!alias.model.empty() && to_lower(alias.name) == to_lower(name)) {
      // An alias names a model, not another alias: no cycle can be made.
      return ModelLibrary(folder_).find(alias.model);
    }
  }
  if (looks_like_path(name)) return stored_model(std::string(name));

  TRY(const std::vector<StoredModel> models, list());
  const std::string wanted = to_lower(name);
  std::vector<const StoredModel*> matches;
  for (const StoredModel& model : models) {
    if (model.id == wanted || stem_of(model.file_name) == wanted || to_lower(model.file_name) == wanted) {
      return model;
    }
    if (model_id_of_file(model.file_name) == wanted) matches.push_back(&model);
  }
  if (matches.size() == 1) return *matches.front();
  if (!matches.empty()) return ambiguous(name, matches);
  if (Result<StoredModel> file = stored_model(std::string(name)); file.ok()) return file;

  std::vector<std::string_view> known;
  for (const StoredModel& model : models) known.push_back(model.id);
  for (const std::string& text : aliases_) known.push_back(split_once(text, '=').first);
  return Error{
      ErrorCode::kModelNotFound,
      "there is no model '" + escape_line(name, 200) + "' in '" + folder_ + "'" + did_you_mean(name, known),
      "`llama-gpu list` shows what is there, `llama-gpu pull URL` brings one; a path to a GGUF file works, "
      "too"};
}

}  // namespace llama_gpu::app
