// SPDX-License-Identifier: Apache-2.0
#include "app/http_server_fake.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/strings.h"

namespace llama_gpu::app {
namespace {

// Up to and with `end`, or all until the connection closes.
std::string receive_until(int connection, std::string_view end, std::string text) {
  char chunk[4096];
  while (text.find(end) == std::string::npos) {
    const ssize_t count = ::recv(connection, chunk, sizeof chunk, 0);
    if (count <= 0) break;
    text.append(chunk, size_t(count));
  }
  return text;
}

void send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(size_t(count));
  }
}

HttpServerFake::Request parse_request(std::string_view head) {
  HttpServerFake::Request request;
  const std::vector<std::string_view> lines = split(head, '\n');
  const std::vector<std::string_view> words = split(trim(lines[0]), ' ');
  request.method = words[0];
  if (words.size() > 1) request.target = words[1];
  for (size_t i = 1; i < lines.size(); ++i) {
    const auto [name, value] = split_once(trim(lines[i]), ':');
    if (!name.empty()) request.headers[to_lower(name)] = trim(value);
  }
  return request;
}

}  // namespace

HttpServerFake::HttpServerFake(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool is_listening = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                            ::listen(listener_, 16) == 0 &&
                            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  CHECK(is_listening, "no loopback port for the test's server");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

HttpServerFake::~HttpServerFake() {
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

std::vector<HttpServerFake::Request> HttpServerFake::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void HttpServerFake::serve() {
  for (;;) {
    const int connection = ::accept(listener_, nullptr, nullptr);
    if (connection < 0) return;
    serve_one(connection);
    ::close(connection);
  }
}

void HttpServerFake::serve_one(int connection) {
  const std::string text = receive_until(connection, "\r\n\r\n", "");
  const size_t head_end = text.find("\r\n\r\n");
  if (head_end == std::string::npos) return;
  Request request = parse_request(text.substr(0, head_end));
  request.body = text.substr(head_end + 4);
  const size_t length = size_t(parse_integer(request.headers["content-length"]).value_or(0));
  char byte = 0;
  while (request.body.size() < length && ::recv(connection, &byte, 1, 0) == 1) request.body += byte;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }

  const Reply reply = handler_(request);
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\nConnection: close\r\n";
  for (const std::string& header : reply.headers) head += header + "\r\n";
  if (head.find("Content-Length") == std::string::npos) {
    head += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  }
  send_all(connection, head + "\r\n");
  send_all(connection, std::string_view(reply.body).substr(0, reply.cut_after.value_or(reply.body.size())));
}

HttpServerFake::Reply serve_file(const HttpServerFake::Request& request, const std::string& contents,
                                 const std::string& etag) {
  const std::string size = std::to_string(contents.size());
  const auto range = request.headers.find("range"), condition = request.headers.find("if-range");
  const bool is_same_file = condition == request.headers.end() || condition->second == etag;
  if (range == request.headers.end() || !is_same_file) return {200, {"ETag: " + etag}, contents};

  const std::string_view first = split_once(split_once(range->second, '=').second, '-').first;
  const auto from = size_t(parse_integer(first).value_or(0));
  if (from >= contents.size()) return {416, {"Content-Range: bytes */" + size}, ""};
  return {206,
          {"ETag: " + etag, "Content-Range: bytes " + std::to_string(from) + "-" +
                                std::to_string(contents.size() - 1) + "/" + size},
          contents.substr(from)};
}

}  // namespace llama_gpu::app
