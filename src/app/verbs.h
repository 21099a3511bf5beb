// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "app/verb.h"

namespace llama_gpu::app {

// One factory for each verb_NAME.cc; the table in verbs.cc says what each verb does.
std::unique_ptr<Verb> make_bench_verb();
std::unique_ptr<Verb> make_config_verb();
std::unique_ptr<Verb> make_engine_worker_verb();
std::unique_ptr<Verb> make_list_verb();
std::unique_ptr<Verb> make_plugin_verb();
std::unique_ptr<Verb> make_plugin_worker_verb();
std::unique_ptr<Verb> make_pull_verb();
std::unique_ptr<Verb> make_run_verb();
std::unique_ptr<Verb> make_serve_verb();
std::unique_ptr<Verb> make_show_verb();
std::unique_ptr<Verb> make_version_verb();

}  // namespace llama_gpu::app
