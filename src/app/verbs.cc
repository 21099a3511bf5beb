// SPDX-License-Identifier: Apache-2.0
#include "app/verbs.h"

#include <array>

namespace llama_gpu::app {
namespace {

constexpr std::array kVerbs = {
    VerbEntry{"serve", "Serve models over HTTP, with a dashboard", false, make_serve_verb},
    VerbEntry{"run", "Answer a prompt, or chat, in the terminal", false, make_run_verb},
    VerbEntry{"pull", "Bring a model file into the models folder", false, make_pull_verb},
    VerbEntry{"list", "List the models in the models folder", false, make_list_verb},
    VerbEntry{"show", "Show what a model file holds", false, make_show_verb},
    VerbEntry{"plugin", "Look after the plugins of a server, and make new ones", false, make_plugin_verb},
    VerbEntry{"bench", "Measure prefill and decode beside the limit of this machine", false, make_bench_verb},
    VerbEntry{"config", "Show the settings and where they come from", false, make_config_verb},
    VerbEntry{"version", "Show the version", false, make_version_verb},
    VerbEntry{"engine-worker", "Run a model for a server", true, make_engine_worker_verb},
    VerbEntry{"plugin-worker", "Become a plugin of a server", true, make_plugin_worker_verb},
};

}  // namespace

std::span<const VerbEntry> verbs() { return kVerbs; }

}  // namespace llama_gpu::app
