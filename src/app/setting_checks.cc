// SPDX-License-Identifier: Apache-2.0
#include "app/setting_checks.h"

#include <algorithm>

#include "app/model_library.h"
#include "server/parse_target.h"

namespace llama_gpu::app {
namespace {

// "fe80::1%eth0" names the interface, too.
std::string_view without_zone(std::string_view address) { return address.substr(0, address.find('%')); }

std::optional<std::string> plain_host(std::string_view text) {
  std::string_view host = text;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const bool is_v6 = std::ranges::count(host, ':') > 1;
  if (host.size() != text.size() && !is_v6) return std::nullopt;
  const std::string authority = is_v6 ? "[" + std::string(without_zone(host)) + "]" : std::string(host);
  // A colon at the end would be an empty port.
  if (!is_v6 && host.find(':') != std::string_view::npos) return std::nullopt;
  return server::parse_host(authority) ? std::optional(std::string(host)) : std::nullopt;
}

bool is_alias(std::string_view text) {
  const Result<ModelAlias> alias = parse_alias(text);
  return alias.ok() && !alias->model.empty();
}

}  // namespace

std::optional<std::string> checked_text(SettingCheck check, std::string_view text) {
  if (check == SettingCheck::kHost) return plain_host(text);
  if (check == SettingCheck::kNotEmpty && text.empty()) return std::nullopt;
  if (check == SettingCheck::kAlias && !is_alias(text)) return std::nullopt;
  return std::string(text);
}

std::string_view expected_by(SettingCheck check) {
  switch (check) {
    case SettingCheck::kNotEmpty:
      return "a string that is not empty";
    case SettingCheck::kHost:
      return "a host name or an IP address; give the port by --port";
    case SettingCheck::kAlias:
      return "a list of strings, each NAME=MODEL";
    case SettingCheck::kNone:
      break;
  }
  return "";
}

}  // namespace llama_gpu::app
