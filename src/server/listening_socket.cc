// SPDX-License-Identifier: Apache-2.0
#include "server/listening_socket.h"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "server/access.h"

namespace llama_gpu::server {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

Error bind_error(const boost::system::error_code& code, const ServerOptions& options) {
  const std::string place = options.host + ":" + std::to_string(options.port);
  if (code == asio::error::address_in_use) {
    return Error{ErrorCode::kPortInUse, "the address " + place + " is in use by another program",
                 "stop that, or choose another port with --port", "server.port"};
  }
  return Error{ErrorCode::kConfigInvalid, "cannot listen on " + place + ": " + code.message(),
               "choose an address of this machine, and a port that this user may open", "server.host"};
}

}  // namespace

Result<ListeningSocket> ListeningSocket::open(const ServerOptions& options) {
  TRY_STATUS(check_bind_address(options));
  asio::io_context io;
  boost::system::error_code code;
  Tcp::resolver resolver(io);
  const auto found = resolver.resolve(options.host, std::to_string(options.port),
                                      Tcp::resolver::passive | Tcp::resolver::numeric_service, code);
  if (code || found.empty()) return bind_error(code, options);
  const Tcp::endpoint endpoint = found.begin()->endpoint();
  Tcp::acceptor acceptor(io);
  acceptor.open(endpoint.protocol(), code);
  if (!code) acceptor.set_option(Tcp::acceptor::reuse_address(true), code);
  if (!code) acceptor.bind(endpoint, code);
  if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code) return bind_error(code, options);
  const uint16_t port = acceptor.local_endpoint(code).port();
  return ListeningSocket(acceptor.release(code), endpoint.protocol() == Tcp::v6(), port);
}

ListeningSocket::~ListeningSocket() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace llama_gpu::server
