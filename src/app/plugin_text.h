// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>

#include "app/plugin_admin.h"

namespace llama_gpu::app {

// Documents of the plugin API as text for a person. They may come from anywhere: what is missing is left out,
// and no text of theirs reaches the terminal unescaped.
void print_plugins(std::ostream& out, const PluginAdmin::Json& list);
void print_plugin(std::ostream& out, const PluginAdmin::Json& plugin);
void print_generations(std::ostream& out, const PluginAdmin::Json& list);
// `result`: a PluginChangeResult, of which the plan is shown.
void print_plan(std::ostream& out, const PluginAdmin::Json& result);
void print_event(std::ostream& out, const PluginAdmin::Json& event);

// A member of an object by name, or null where there is none.
const PluginAdmin::Json& json_member(const PluginAdmin::Json& json, std::string_view name);
// A text fit for one line: of a string its text, of anything else its JSON; "" for null.
std::string json_line(const PluginAdmin::Json& json, std::string_view name);

}  // namespace llama_gpu::app
