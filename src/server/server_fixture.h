// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "server/model_host_fake.h"
#include "server/server.h"
#include "server/socket_client_fake.h"

namespace llama_gpu::server {

// A server on a free port of loopback, before a FakeModelHost.
class ServerTest : public testing::Test {
 protected:
  ServerTest() { configure_logging({.level = LogLevel::kError}); }
  ~ServerTest() override {
    server_.reset();
    configure_logging({});
  }

  void start(ServerOptions options = {}) {
    options.port = 0;
    auto started = Server::start(std::move(options), {.host = host_, .metrics = metrics_});
    ASSERT_TRUE(started.ok()) << started.error().message;
    server_ = *std::move(started);
  }

  std::unique_ptr<RawClient> connect(int receive_buffer_bytes = 0) {
    return std::make_unique<RawClient>(server_->port(), receive_buffer_bytes);
  }

  // The answer to one request on a connection of its own.
  std::string ask(std::string_view request) {
    const auto client = connect();
    client->send(request);
    return client->read_answer();
  }

  static std::string get(std::string_view path, std::string_view more = "") {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more) + "\r\n";
  }

  static std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
    return "POST " + std::string(path) +
           " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + std::string(more) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  }

  static std::string chat(std::string_view more = "") {
    return R"({"model":"fake","messages":[{"role":"user","content":"hi"}])" + std::string(more) + "}";
  }

  FakeModelHost host_;
  telemetry::Registry metrics_;
  std::unique_ptr<Server> server_;
};

}  // namespace llama_gpu::server
