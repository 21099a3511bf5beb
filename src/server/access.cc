// SPDX-License-Identifier: Apache-2.0
#include "server/access.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

#include "base/strings.h"

namespace llama_gpu::server {
namespace {

// `host` as in the options: without brackets.
HostAndPort bind_host(const std::string& host) {
  const bool is_ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
  return parse_host(is_ipv6 ? "[" + host + "]" : host)
      .value_or(HostAndPort{.host = host, .port = "", .is_ip = false});
}

Error host_not_allowed(std::string_view header, std::string_view value) {
  return Error{ErrorCode::kHostNotAllowed,
               "the " + std::string(header) + " '" + escape_line(value, 100) + "' is not allowed",
               "add the name to the setting server.allowed_hosts if it is yours"};
}

Error invalid_key(std::string message) {
  return Error{ErrorCode::kInvalidApiKey, std::move(message), "send 'Authorization: Bearer KEY'"};
}

// The part of an Origin behind "scheme://"; nullopt where it is not http or https.
std::optional<std::string_view> origin_host(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return origin.substr(scheme.size());
  }
  return std::nullopt;
}

}  // namespace

Status check_bind_address(const ServerOptions& options) {
  if (is_loopback(bind_host(options.host)) || !options.api_keys.empty() || options.insecure_no_auth)
    return {};
  return Error{ErrorCode::kConfigInvalid,
               "the host '" + options.host + "' can be reached by others, and no API key is set",
               "set --api-key, or --insecure-no-auth if everyone may use this server", "server.host"};
}

AccessControl::AccessControl(const ServerOptions& options) {
  const HostAndPort bound = bind_host(options.host);
  for (const std::string& key : options.api_keys) key_digests_.push_back(digest(key));
  for (const std::string& host : options.allowed_hosts) allowed_hosts_.push_back(to_lower(host));
  if (bound.host != "0.0.0.0" && bound.host != "::") allowed_hosts_.push_back(bound.host);
  any_ip_ = !is_loopback(bound);
  any_host_ = any_ip_ && has_keys();
}

Status AccessControl::check_host(const HttpRequest& request, const RequestTarget& target) const {
  const size_t count = request.headers.count("Host");
  if (count > 1 || (count == 0 && request.minor_version >= 1)) {
    return Error{ErrorCode::kInvalidRequest,
                 "the request has " + std::to_string(count) + " Host headers, expected one"};
  }
  if (count == 0) return {};  // HTTP/1.0: no browser sends that
  TRY_STATUS(check_host_value(*request.headers.find("Host")));
  return target.authority.empty() ? Status() : check_host_value(target.authority);
}

Status AccessControl::check_host_value(std::string_view value) const {
  const auto host = parse_host(value);
  if (!host || !is_allowed_host(*host)) return host_not_allowed("Host", value);
  return {};
}

bool AccessControl::is_allowed_host(const HostAndPort& host) const {
  if (any_host_ || is_loopback(host)) return true;
  if (any_ip_ && host.is_ip && host.host != "0.0.0.0" && host.host != "::") return true;
  return std::ranges::find(allowed_hosts_, host.host) != allowed_hosts_.end();
}

Status AccessControl::check_origin(const HttpRequest& request) const {
  const auto origin = request.headers.find("Origin");
  if (!origin) return {};
  const auto authority = origin_host(*origin);
  const auto host = authority ? parse_host(*authority) : std::nullopt;
  if (request.headers.count("Origin") > 1 || !host) return host_not_allowed("Origin", *origin);
  const bool is_same_origin = equals_ignoring_case(*authority, request.headers.find("Host").value_or(""));
  const bool is_named = std::ranges::find(allowed_hosts_, host->host) != allowed_hosts_.end();
  if (is_same_origin || is_named || is_loopback(*host)) return {};
  return host_not_allowed("Origin", *origin);
}

Status AccessControl::check_origin_of_admin(const HttpRequest& request) const {
  const auto origin = request.headers.find("Origin");
  if (!origin || has_keys()) return {};
  const auto authority = origin_host(*origin);
  if (authority && equals_ignoring_case(*authority, request.headers.find("Host").value_or(""))) return {};
  return host_not_allowed("Origin", *origin);
}

Status AccessControl::check_key(const HttpRequest& request, Access access) const {
  if (access == Access::kPublic || !has_keys()) return {};
  if (request.headers.count("Authorization") > 1)
    return invalid_key("there are several Authorization headers");
  const auto header = request.headers.find("Authorization");
  if (!header) return invalid_key("this server needs an API key, and the request has none");
  const auto [scheme, rest] = split_once(*header, ' ');
  if (!equals_ignoring_case(scheme, "Bearer"))
    return invalid_key("the Authorization header is not a Bearer token");
  if (!is_known(trim_spaces(rest))) return invalid_key("the API key is wrong");
  return {};
}

bool AccessControl::is_known(std::string_view key) const {
  // Digests of equal length, each compared in constant time and all of them always: the time tells nothing.
  const Digest wanted = digest(key);
  bool found = false;
  for (const Digest& known : key_digests_)
    found |= CRYPTO_memcmp(known.data(), wanted.data(), known.size()) == 0;
  return found;
}

AccessControl::Digest AccessControl::digest(std::string_view key) {
  Digest out;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), out.data());
  return out;
}

}  // namespace llama_gpu::server
