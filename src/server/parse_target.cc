// SPDX-License-Identifier: Apache-2.0
#include "server/parse_target.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/strings.h"

namespace llama_gpu::server {
namespace {

constexpr std::string_view kHttpScheme = "http://";

Error bad_target(std::string_view why) {
  return Error{ErrorCode::kInvalidRequest, "the request target " + std::string(why),
               "send a path such as /v1/models"};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool is_port(std::string_view text) {
  return text.size() <= 5 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) &&
         (text.empty() || parse_integer(text).value_or(65536) <= 65535);
}

bool is_ipv4(const std::string& text) {
  in_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

}  // namespace

Result<RequestTarget> parse_target(std::string_view target) {
  if (std::ranges::any_of(
          target, [](char c) { return c <= ' ' || c == 0x7F || static_cast<unsigned char>(c) >= 0x80; })) {
    return bad_target("holds a character that must be percent-encoded");
  }
  RequestTarget parsed;
  if (target.size() >= kHttpScheme.size() && to_lower(target.substr(0, kHttpScheme.size())) == kHttpScheme) {
    target.remove_prefix(kHttpScheme.size());
    const size_t slash = std::min(target.find('/'), target.size());
    parsed.authority = target.substr(0, slash);
    if (parsed.authority.empty()) return bad_target("names no host");
    target.remove_prefix(slash);
    if (target.empty()) target = "/";
  }
  const auto [path, query] = split_once(target, '?');
  if (!path.starts_with('/') && path != "*") return bad_target("is not a path");
  if (path.find('#') != std::string_view::npos) return bad_target("holds a fragment");
  if (!percent_decoded(path)) return bad_target("holds a bad percent-encoding");
  parsed.path = path;
  parsed.query = query;
  return parsed;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return std::nullopt;
    decoded += c;
  }
  if (!is_valid_utf8(decoded)) return std::nullopt;
  return decoded;
}

std::optional<HostAndPort> parse_host(std::string_view text) {
  const std::string lower = to_lower(text);
  HostAndPort parsed;
  std::string_view port;
  if (lower.starts_with('[')) {
    const size_t end = lower.find(']');
    if (end == std::string::npos) return std::nullopt;
    parsed.host = lower.substr(1, end - 1);
    if (!is_ipv6(parsed.host)) return std::nullopt;
    parsed.is_ip = true;
    port = std::string_view(lower).substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return std::nullopt;
    if (!port.empty()) port.remove_prefix(1);
  } else {
    const auto [host, rest] = split_once(lower, ':');
    parsed.host = host;
    if (host.empty() || !std::ranges::all_of(host, is_name_char)) return std::nullopt;
    parsed.is_ip = is_ipv4(parsed.host);
    port = rest;
  }
  if (!is_port(port)) return std::nullopt;
  parsed.port = port;
  return parsed;
}

bool is_loopback(const HostAndPort& host) {
  if (!host.is_ip) return host.host == "localhost";
  return host.host == "::1" || host.host.starts_with("127.");
}

}  // namespace llama_gpu::server
