// SPDX-License-Identifier: Apache-2.0
#include "app/serve_plan.h"

#include <algorithm>
#include <filesystem>

#include "app/backends.h"
#include "app/version.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

using supervisor::ModelSpec;

void add_alias(ModelSpec& spec, const std::string& name) {
  if (std::ranges::find(spec.aliases, name) == spec.aliases.end() && name != spec.id)
    spec.aliases.push_back(name);
}

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return a == b || std::filesystem::equivalent(a, b, ignored);
}

// What an alias belongs to.
struct AskedModels {
  const ModelLibrary& library;
  std::vector<std::string> names;    // all that were asked for
  std::vector<std::string> refused;  // those of them that are left out
};

bool is_refused(const AskedModels& asked, const std::string& model) {
  return std::ranges::any_of(asked.refused,
                             [&](const std::string& name) { return to_lower(name) == to_lower(model); });
}

// The one that `name` means: by the id that it is served with, by a name of the library, or by its path.
// nullptr for a model that is there and not served; the library's error where there is none.
Result<ModelSpec*> find_spec(std::vector<ModelSpec>& specs, const ModelLibrary& library,
                             const std::string& name) {
  for (ModelSpec& spec : specs) {
    if (to_lower(spec.id) == to_lower(name)) return &spec;
  }
  TRY(const StoredModel model, library.find(name));
  for (ModelSpec& spec : specs) {
    if (is_same_file(spec.options.model_path, model.path)) return &spec;
  }
  return nullptr;
}

Error left_out(const ModelAlias& alias) {
  return {ErrorCode::kInvalidValue,
          "--alias '" + alias.name + "' is left out, as its model '" + escape_line(alias.model, 200) + "' is",
          "", "alias"};
}

Error not_served(const ModelAlias& alias, const std::vector<ModelSpec>& specs) {
  std::string ids;
  for (const ModelSpec& spec : specs) ids += (ids.empty() ? "'" : ", '") + spec.id + "'";
  return {ErrorCode::kInvalidValue,
          "--alias '" + alias.name + "' is of '" + escape_line(alias.model, 200) + "', which is not served",
          "served: " + ids, "alias"};
}

Status add_flag_alias(ModelPlan& plan, const AskedModels& asked, const std::string& text) {
  const Result<ModelAlias> alias = parse_alias(text);
  if (!alias.ok()) {
    return Error{ErrorCode::kInvalidValue,
                 "--alias: '" + escape_line(text, 200) + "' is not valid, expected NAME or NAME=MODEL", "",
                 "alias"};
  }
  // By what was asked for: the alias of a model that is left out never becomes that of another one.
  if (alias->model.empty() && asked.names.size() == 1) {
    add_alias(plan.specs.front(), alias->name);
    return {};
  }
  if (alias->model.empty()) {
    return Error{ErrorCode::kInvalidValue, "--alias '" + alias->name + "' does not say of which model",
                 "write --alias NAME=MODEL where more than one model is served", "alias"};
  }
  Result<ModelSpec*> spec = find_spec(plan.specs, asked.library, alias->model);
  if (!spec.ok() && is_refused(asked, alias->model)) {
    plan.refused.push_back(left_out(*alias));
    return {};
  }
  if (!spec.ok()) {
    Error error = std::move(spec).error();
    error.message = "--alias '" + alias->name + "': " + error.message;
    return error;
  }
  if (*spec == nullptr) return not_served(*alias, plan.specs);
  add_alias(**spec, alias->name);
  return {};
}

// An alias of a model that is not served is no fault of this call; one of a model that is nowhere is told.
Status add_setting_alias(ModelPlan& plan, const ModelLibrary& library, const std::string& text) {
  TRY(const ModelAlias alias, parse_alias(text));
  const Result<ModelSpec*> spec = find_spec(plan.specs, library, alias.model);
  if (!spec.ok()) {
    Error error = spec.error();
    error.message = "models.aliases: '" + alias.name + "' is left out: " + error.message;
    plan.refused.push_back(std::move(error));
  } else if (*spec != nullptr) {
    add_alias(**spec, alias.name);
  }
  return {};
}

}  // namespace

Result<ModelPlan> plan_models(const Settings& settings, const std::vector<std::string>& names,
                              const std::vector<std::string>& aliases) {
  const ModelLibrary library(settings.models.dir, settings.models.aliases);
  AskedModels asked{library, names.empty() ? std::vector{std::string(kDefaultModelId)} : names, {}};
  ModelPlan plan;
  for (const std::string& name : asked.names) {
    Result<StoredModel> model = library.find(name);
    if (!model.ok()) {
      plan.refused.push_back(std::move(model).error());
      asked.refused.push_back(name);
      continue;
    }
    ModelSpec spec;
    spec.id = repair_utf8(model->id);
    spec.created_unix_seconds = model->modified_unix_seconds;
    spec.options = engine_options(settings, model->path);
    plan.specs.push_back(std::move(spec));
  }
  if (plan.specs.empty()) return plan.refused.front();
  // An alias names a model, never another alias.
  const ModelLibrary plain_library(settings.models.dir);
  for (const std::string& text : settings.models.aliases)
    TRY_STATUS(add_setting_alias(plan, plain_library, text));
  for (const std::string& text : aliases) TRY_STATUS(add_flag_alias(plan, asked, text));
  return plan;
}

server::ServerOptions plan_server(const Settings& settings) {
  server::ServerOptions options;
  options.host = settings.server.host;
  options.port = uint16_t(settings.server.port);
  if (!settings.server.api_key.empty()) options.api_keys = {settings.server.api_key};
  options.insecure_no_auth = settings.server.insecure_no_auth;
  options.allowed_hosts = settings.server.allowed_hosts;
  options.max_body_bytes = settings.server.max_body_bytes;
  options.max_unfinished_body_bytes = settings.server.max_unfinished_body_bytes;
  options.max_connections = settings.server.max_connections;
  options.version = program_version();
  return options;
}

supervisor::WorkerCommand plan_worker(const Settings& settings, std::string program) {
  supervisor::WorkerCommand command;
  command.program = std::move(program);
  command.arguments.insert(command.arguments.end(),
                           {"--log-level", settings.log.level, "--log-format", settings.log.format});
  if (!settings.debug.failpoints.empty())
    command.arguments.insert(command.arguments.end(), {"--failpoints", settings.debug.failpoints});
  command.secret_variables = secret_variables();
  return command;
}

std::string local_url(const std::string& host, int port) {
  std::string shown = host;
  if (host == "0.0.0.0" || host.empty()) shown = "127.0.0.1";
  if (host == "::") shown = "::1";
  if (shown.find(':') != std::string::npos && !shown.starts_with('[')) shown = "[" + shown + "]";
  return "http://" + shown + ":" + std::to_string(port);
}

}  // namespace llama_gpu::app
