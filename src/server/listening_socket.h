// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>

#include "base/result.h"
#include "server/server_options.h"

namespace llama_gpu::server {

// A server's address, taken before there is a server: clients that connect wait in the system's queue. So
// whoever starts one learns that the port is in use before loading anything. Closed with its owner.
class ListeningSocket {
 public:
  // kConfigInvalid for an address that is not this machine's, or that others can reach without a key;
  // kPortInUse.
  static Result<ListeningSocket> open(const ServerOptions& options);

  ListeningSocket(ListeningSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), is_ipv6_(other.is_ipv6_), port_(other.port_) {}
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  uint16_t port() const { return port_; }
  bool is_ipv6() const { return is_ipv6_; }
  // Hands the descriptor to the caller, who closes it.
  int release() { return std::exchange(fd_, -1); }

 private:
  ListeningSocket(int fd, bool is_ipv6, uint16_t port) : fd_(fd), is_ipv6_(is_ipv6), port_(port) {}

  int fd_;
  bool is_ipv6_;
  uint16_t port_;
};

}  // namespace llama_gpu::server
