// SPDX-License-Identifier: Apache-2.0
// Events of plugins over a real connection.
#include "server/plugin_event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "plugins/plugin_manager_fake.h"
#include "server/server_fixture.h"

namespace llama_gpu::server {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class PluginEventServerTest : public ServerTest {
 protected:
  PluginEventServerTest() {
    auto started = Server::start({.port = 0}, {.host = host_, .metrics = metrics_, .plugins = &plugins_});
    server_ = *std::move(started);
  }
  ~PluginEventServerTest() override { server_.reset(); }

  void emit(std::string reason_code) {
    plugins::PluginEvent event;
    event.reason_code = std::move(reason_code);
    plugins_.emit(std::move(event));
  }

  plugins::FakePluginManager plugins_;
};

TEST_F(PluginEventServerTest, ReachesAClientAsItHappens) {
  const auto client = connect();
  client->send(get("/admin/plugin-events", "Accept: text/event-stream\r\n"));
  EXPECT_THAT(client->read_until("\r\n\r\n"), HasSubstr("text/event-stream"));
  emit("one");
  EXPECT_THAT(client->read_until("\n\n"), HasSubstr("id: 1\ndata: {"));
  std::thread other([this] { emit("two"); });
  EXPECT_THAT(client->read_until("\n\n"), HasSubstr("two"));
  other.join();
}

TEST_F(PluginEventServerTest, KeepsNobodyFromStoppingTheServer) {
  const auto client = connect();
  client->send(get("/admin/plugin-events", "Accept: text/event-stream\r\n"));
  client->read_until("\r\n\r\n");
  // Without an end of the stream it would last the five minutes.
  server_->drain(std::chrono::minutes(5));
  EXPECT_THAT(client->read_all(), EndsWith("0\r\n\r\n"));
}

TEST_F(PluginEventServerTest, AnswersHeadAtOnce) {
  EXPECT_THAT(ask("HEAD /admin/plugin-events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
                  "Connection: close\r\n\r\n"),
              HasSubstr("application/json"));
}

TEST_F(PluginEventServerTest, CountsWhatPluginsCost) {
  plugins_.set_plugins({plugins::FakePluginManager::make_status("acme/guard")});
  EXPECT_THAT(ask(get("/metrics")),
              HasSubstr("llamagpu_plugin_state{plugin=\"acme/guard\",state=\"active\"} 1\n"));
  EXPECT_THAT(ask(get("/admin/plugins/acme/guard/health")), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(post("/admin/plugins/changes", R"({"action":"rollback"})")), StartsWith("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace llama_gpu::server
