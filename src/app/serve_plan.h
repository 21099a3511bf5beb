// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "app/model_library.h"
#include "app/settings.h"
#include "base/result.h"
#include "server/server_options.h"
#include "supervisor/supervised_model_host.h"

namespace llama_gpu::app {

// What `serve` is to run.
struct ModelPlan {
  std::vector<supervisor::ModelSpec> specs;  // at least one
  std::vector<Error> refused;                // why others that were asked for, or their aliases, are left out
};

// The models that `serve` was asked for: `names` by library name, alias or path (empty: the default model),
// with the aliases of the settings and of --alias (NAME, where one model was asked for, or NAME=MODEL, where
// MODEL may be the id it is served with). One that cannot be found does not stop the others. kModelNotFound
// where none can, kInvalidValue for an --alias of no model that was asked for.
Result<ModelPlan> plan_models(const Settings& settings, const std::vector<std::string>& names,
                              const std::vector<std::string>& aliases);

// How the HTTP server is started.
server::ServerOptions plan_server(const Settings& settings);

// How workers are started: the same program, log settings and failpoints, but no settings file, which may
// change meanwhile, and no secrets.
supervisor::WorkerCommand plan_worker(const Settings& settings, std::string program);

// "http://127.0.0.1:8484" for a person of this machine: an address that stands for all becomes loopback.
std::string local_url(const std::string& host, int port);

}  // namespace llama_gpu::app
