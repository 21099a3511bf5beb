// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace llama_gpu::app {

// Environment variables, read once, so that a test can give its own.
class Environment {
 public:
  using Variables = std::map<std::string, std::string, std::less<>>;

  Environment() = default;
  Environment(std::initializer_list<Variables::value_type> variables) : variables_(variables) {}
  // For tests.
  static Environment of_variables(Variables variables);
  // Of this process. HOME comes from the user database where it is not set.
  static Environment of_process();

  // The value, or "" where it is not set: an empty variable counts as absent everywhere.
  std::string_view get(std::string_view name) const;
  const Variables& all() const { return variables_; }

  // XDG folders, such as ~/.config, with the fallbacks that the specification names.
  std::string config_home() const { return xdg("XDG_CONFIG_HOME", "/.config"); }
  std::string data_home() const { return xdg("XDG_DATA_HOME", "/.local/share"); }
  std::string state_home() const { return xdg("XDG_STATE_HOME", "/.local/state"); }

  // A path with ~, $HOME or one of the XDG variables in front of its first '/' replaced.
  std::string expand_path(std::string_view path) const;

 private:
  std::string xdg(std::string_view variable, std::string_view below_home) const;

  Variables variables_;
};

}  // namespace llama_gpu::app
