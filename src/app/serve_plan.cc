// SPDX-License-Identifier: Apache-2.0
#include "app/serve_plan.h"

#include <algorithm>

#include "app/backends.h"
#include "app/version.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

using supervisor::ModelSpec;

// Gives the alias to the model of `specs` that it names; whether there is one.
bool add_alias(std::vector<ModelSpec>& specs, const std::string& name, const std::string& model_path) {
  const auto spec = std::ranges::find_if(
      specs, [&](const ModelSpec& each) { return each.options.model_path == model_path; });
  if (spec == specs.end()) return false;
  if (std::ranges::find(spec->aliases, name) == spec->aliases.end() && name != spec->id)
    spec->aliases.push_back(name);
  return true;
}

// Where the aliases of --alias belong.
struct AskedModels {
  const ModelLibrary& library;
  std::vector<std::string> names;    // all that were asked for
  std::vector<std::string> refused;  // those of them that are left out
};

bool is_refused(const AskedModels& asked, const std::string& model) {
  return std::ranges::any_of(asked.refused,
                             [&](const std::string& name) { return to_lower(name) == to_lower(model); });
}

Status add_flag_alias(ModelPlan& plan, const AskedModels& asked, const std::string& text) {
  TRY(const ModelAlias alias, parse_alias(text));
  std::vector<ModelSpec>& specs = plan.specs;
  // By what was asked for: the alias of a model that is left out never becomes that of another one.
  if (alias.model.empty() && asked.names.size() == 1) {
    add_alias(specs, alias.name, specs.front().options.model_path);
    return {};
  }
  if (alias.model.empty()) {
    return Error{ErrorCode::kInvalidValue, "--alias '" + alias.name + "' does not say of which model",
                 "write --alias NAME=MODEL where more than one model is served", "alias"};
  }
  const Result<StoredModel> model = asked.library.find(alias.model);
  if (!model.ok() && is_refused(asked, alias.model)) {
    plan.refused.push_back(
        {ErrorCode::kInvalidValue,
         "--alias '" + alias.name + "' is left out, as its model '" + escape_line(alias.model, 200) + "' is",
         "", "alias"});
    return {};
  }
  if (!model.ok()) return model.error();
  if (add_alias(specs, alias.name, model->path)) return {};
  return Error{ErrorCode::kInvalidValue,
               "--alias '" + alias.name + "' is of '" + model->id + "', which is not served", "", "alias"};
}

}  // namespace

Result<ModelPlan> plan_models(const Settings& settings, const std::vector<std::string>& names,
                              const std::vector<std::string>& aliases) {
  const ModelLibrary library(settings.models.dir, settings.models.aliases);
  AskedModels asked{library, names.empty() ? std::vector{std::string(kDefaultModelId)} : names, {}};
  ModelPlan plan;
  std::vector<ModelSpec>& specs = plan.specs;
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
    specs.push_back(std::move(spec));
  }
  if (specs.empty()) return plan.refused.front();
  for (const std::string& text : settings.models.aliases) {
    TRY(const ModelAlias alias, parse_alias(text));
    // An alias of a model that is not served, or not there, is no fault of this call.
    const Result<StoredModel> model = ModelLibrary(settings.models.dir).find(alias.model);
    if (model.ok()) add_alias(specs, alias.name, model->path);
  }
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
