// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/http_message.h"
#include "server/parse_target.h"
#include "server/route.h"
#include "server/server_options.h"

namespace llama_gpu::server {

// Refuses to listen where others can reach the server without a key, unless that was asked for:
// kConfigInvalid.
Status check_bind_address(const ServerOptions& options);

// Who may ask: the Host and Origin headers, and API keys. Immutable, so any number of threads share one.
//
// A page of another site may make a browser send requests here, also by a name that it lets point to
// 127.0.0.1 (DNS rebinding). So the Host must be a name of this server, unless it is meant for a network and
// guarded by a key.
class AccessControl {
 public:
  explicit AccessControl(const ServerOptions& options);

  // kInvalidRequest where there is no usable Host, kHostNotAllowed where it is not ours.
  Status check_host(const HttpRequest& request, const RequestTarget& target) const;
  // kHostNotAllowed for a request made by a page of another site. Pages of this machine are let through.
  Status check_origin(const HttpRequest& request) const;
  // The same for routes of Access::kAdmin: where there is no key, pages of other servers of this machine are
  // not let through either.
  Status check_origin_of_admin(const HttpRequest& request) const;
  // kInvalidApiKey where the route needs a key and the request has none that is known.
  Status check_key(const HttpRequest& request, Access access) const;

  bool has_keys() const { return !key_digests_.empty(); }

 private:
  using Digest = std::array<unsigned char, 32>;

  static Digest digest(std::string_view key);
  Status check_host_value(std::string_view value) const;
  bool is_known(std::string_view key) const;
  bool is_allowed_host(const HostAndPort& host) const;

  std::vector<Digest> key_digests_;
  std::vector<std::string> allowed_hosts_;
  bool any_host_ = false;  // for a network, with a key
  bool any_ip_ = false;    // for a network: an address cannot be rebound
};

}  // namespace llama_gpu::server
