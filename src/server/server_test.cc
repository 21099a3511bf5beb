// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "base/log.h"
#include "server/json_reader.h"
#include "server/model_host_fake.h"
#include "server/socket_client_fake.h"

namespace llama_gpu::server {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

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

TEST_F(ServerTest, AnswersHealthOnAKeptConnection) {
  start();
  const auto client = connect();

  for (int i = 0; i < 3; ++i) {
    client->send(get("/health"));
    EXPECT_THAT(client->read_answer(),
                AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\"status\":\"ok\"")));
  }
}

TEST_F(ServerTest, StreamsAChatInChunksAndKeepsTheConnection) {
  host_.set_script({"Hello", " world"});
  start();
  const auto client = connect();

  client->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  const std::string head = client->read_until("\r\n\r\n");
  const std::string body = client->read_until("0\r\n\r\n");

  EXPECT_THAT(head,
              AllOf(HasSubstr("Content-Type: text/event-stream"), HasSubstr("Transfer-Encoding: chunked")));
  EXPECT_THAT(body, AllOf(HasSubstr(R"("delta":{"content":" world"})"), HasSubstr("data: [DONE]\n\n")));
  client->send(get("/livez"));
  EXPECT_THAT(client->read_answer(), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace llama_gpu::server
