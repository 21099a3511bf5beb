// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "app/settings.h"
#include "engine/engine.h"
#include "ops/backend.h"

namespace llama_gpu::app {

// All backends of this program: "cpu" and "reference".
BackendRegistry make_backends();

// How the settings want a model to be run.
engine::EngineOptions engine_options(const Settings& settings, std::string model_path);

}  // namespace llama_gpu::app
