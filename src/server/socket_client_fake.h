// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace llama_gpu::server {

// A client for tests that sends exactly the bytes it is told to. Blocks; one thread.
class RawClient {
 public:
  // Connects to 127.0.0.1. `receive_buffer_bytes` > 0 makes a reader that is easily full.
  explicit RawClient(uint16_t port, int receive_buffer_bytes = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer_bytes > 0) {
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(receive_buffer_bytes));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int failed = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    CHECK(failed == 0, "the server accepts");
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // Returns whether all of it was taken by the kernel.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }

  // Reads until `end` stands in what was not yet returned, and returns all before and with it; at the end of
  // the connection, whatever there is.
  std::string read_until(std::string_view end) {
    while (received_.find(end) == std::string::npos && receive()) {
    }
    const size_t found = received_.find(end);
    const size_t size = found == std::string::npos ? received_.size() : found + end.size();
    std::string taken = received_.substr(0, size);
    received_.erase(0, size);
    return taken;
  }

  // Everything up to the end of the connection.
  std::string read_all() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }

  // One answer with Content-Length, header section and body.
  std::string read_answer() {
    std::string answer = read_until("\r\n\r\n");
    const size_t field = answer.find("Content-Length: ");
    if (field == std::string::npos) return answer;
    const size_t length = std::stoul(answer.substr(field + 16));
    while (received_.size() < length && receive()) {
    }
    answer += received_.substr(0, length);
    received_.erase(0, length);
    return answer;
  }

  // For poll().
  int socket() const { return socket_; }

  // No more is sent; what comes is still read.
  void finish_sending() { ::shutdown(socket_, SHUT_WR); }

  // Leaves. `with_reset`: as a process does that is killed with data unread.
  void close(bool with_reset = false) {
    if (socket_ < 0) return;
    const linger option{.l_onoff = with_reset ? 1 : 0, .l_linger = 0};
    if (with_reset) ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &option, sizeof(option));
    ::close(std::exchange(socket_, -1));
  }

 private:
  bool receive() {
    std::array<char, 4096> bytes;
    const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (count <= 0) return false;
    received_.append(bytes.data(), static_cast<size_t>(count));
    return true;
  }

  int socket_;
  std::string received_;
};

}  // namespace llama_gpu::server
