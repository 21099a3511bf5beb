// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace llama_gpu::app {

// A little HTTP server on 127.0.0.1 for tests of clients: one connection at a time, each closed after its
// answer.
class HttpServerFake {
 public:
  // What a client sent.
  struct Request {
    std::string method;
    std::string target;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
  };
  struct Reply {
    int status = 200;
    std::vector<std::string> headers;  // "Name: value"; Content-Length is added where it is missing
    std::string body;
    std::optional<size_t> cut_after = std::nullopt;  // closes the connection after so many bytes of the body
  };
  // Called on the server's thread.
  using Handler = std::function<Reply(const Request&)>;

  explicit HttpServerFake(Handler handler);
  ~HttpServerFake();
  HttpServerFake(const HttpServerFake&) = delete;
  HttpServerFake& operator=(const HttpServerFake&) = delete;

  // "http://127.0.0.1:PORT"
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // All requests so far.
  std::vector<Request> requests() const;

 private:
  void serve();
  void serve_one(int connection);

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;  // guarded by mutex_
  std::thread thread_;
};

// A reply to a request with a Range header as a file server gives it: 206, 200 or 416.
HttpServerFake::Reply serve_file(const HttpServerFake::Request& request, const std::string& contents,
                                 const std::string& etag);

}  // namespace llama_gpu::app
