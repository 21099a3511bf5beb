// SPDX-License-Identifier: Apache-2.0
#include "app/environment.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/strings.h"

namespace llama_gpu::app {

Environment Environment::of_variables(Variables variables) {
  Environment environment;
  environment.variables_ = std::move(variables);
  return environment;
}

Environment Environment::of_process() {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const auto [name, value] = split_once(*entry, '=');
    environment.variables_.emplace(name, value);
  }
  if (environment.get("HOME").empty()) {
    const passwd* const user = ::getpwuid(::getuid());
    if (user != nullptr && user->pw_dir != nullptr) environment.variables_["HOME"] = user->pw_dir;
  }
  return environment;
}

std::string_view Environment::get(std::string_view name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? std::string_view() : std::string_view(found->second);
}

std::string Environment::xdg(std::string_view variable, std::string_view below_home) const {
  const std::string_view folder = get(variable);
  // "All paths must be absolute. A relative path should be ignored", says the XDG specification.
  if (folder.starts_with('/')) return std::string(folder);
  return std::string(get("HOME")).append(below_home);
}

std::string Environment::expand_path(std::string_view path) const {
  const size_t end = std::min(path.find('/'), path.size());
  const std::array<std::pair<std::string_view, std::string>, 5> prefixes = {{
      {"~", std::string(get("HOME"))},
      {"$HOME", std::string(get("HOME"))},
      {"$XDG_DATA_HOME", data_home()},
      {"$XDG_CONFIG_HOME", config_home()},
      {"$XDG_STATE_HOME", state_home()},
  }};
  for (const auto& [prefix, folder] : prefixes) {
    if (path.substr(0, end) == prefix) return folder + std::string(path.substr(end));
  }
  return std::string(path);
}

}  // namespace llama_gpu::app
