// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llama_gpu::server {

// The parts of a request target. `path` is as sent, percent signs included: routes are compared with that
// text only, so no second spelling of a path can get past a check that the first one meets.
struct RequestTarget {
  std::string authority;  // of an absolute target, else ""
  std::string path;
  std::string query;  // without '?'
};

// kInvalidRequest for anything but "/path?query", "http://authority/path" and "*".
Result<RequestTarget> parse_target(std::string_view target);

// A path's text with %XX decoded; nullopt where that is not possible or gives a control character or bytes
// that are not UTF-8.
std::optional<std::string> percent_decoded(std::string_view text);

// A Host header, or the authority of a URI.
struct HostAndPort {
  std::string host;  // lower case; IPv6 without brackets
  std::string port;  // "" where none is named
  bool is_ip = false;
};

// nullopt for anything but name, IPv4 or [IPv6], each with an optional port.
std::optional<HostAndPort> parse_host(std::string_view text);

// Whether it can only mean this machine: localhost, 127.0.0.0/8, ::1.
bool is_loopback(const HostAndPort& host);

}  // namespace llama_gpu::server
