// SPDX-License-Identifier: Apache-2.0
// What clients do that are hostile, slow or gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/server_fixture.h"

namespace llama_gpu::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// ---- Hostile input

TEST_F(ServerTest, RefusesWhatTwoParsersCouldReadInTwoWays) {
  start();
  const std::string smuggled = get("/smuggled");
  const auto client = connect();
  client->send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
      smuggled);
  const std::string answer = client->read_all();

  EXPECT_THAT(answer,
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("Connection: close"), HasSubstr("x-request-id: ")));
  EXPECT_EQ(answer.find("HTTP/1.1 ", 1), std::string::npos);
}

TEST_F(ServerTest, NeverReadsTheBodyOfARefusedRequestAsARequest) {
  start();
  const auto client = connect();
  const std::string smuggled = get("/livez");
  client->send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: " +
      std::to_string(smuggled.size()) + "\r\n\r\n" + smuggled);
  const std::string answer = client->read_all();

  EXPECT_THAT(answer, StartsWith("HTTP/1.1 415"));
  EXPECT_EQ(answer.find("HTTP/1.1 ", 1), std::string::npos);
}

TEST_F(ServerTest, RefusesFloodsOfHeaders) {
  start();

  EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: localhost\r\nA: " + std::string(70'000, 'x')),
              StartsWith("HTTP/1.1 431"));
  std::string fields;
  for (int i = 0; i < 101; ++i) fields += "A: b\r\n";
  EXPECT_THAT(ask(get("/livez", fields)), StartsWith("HTTP/1.1 431"));
}

TEST_F(ServerTest, RefusesForeignNamesAndSites) {
  start();

  EXPECT_THAT(ask("GET /v1/models HTTP/1.1\r\nHost: evil.com\r\n\r\n"), HasSubstr("host_not_allowed"));
  EXPECT_THAT(ask(get("/v1/models", "Origin: http://evil.com\r\n")),
              AllOf(StartsWith("HTTP/1.1 403"), Not(HasSubstr("Access-Control"))));
}

TEST_F(ServerTest, ClosesBehindARequestWithoutAHost) {
  start();
  const auto client = connect();
  client->send("GET /livez HTTP/1.1\r\n\r\n" + get("/version"));

  EXPECT_THAT(client->read_all(), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("Connection: close"),
                                        Not(HasSubstr("\"version\""))));
}

TEST_F(ServerTest, DropsARequestThatTrickles) {
  ServerOptions options;
  options.timeouts.head = milliseconds(20);
  start(options);
  const auto client = connect();
  client->send("GET / HTTP/1.1\r\nHost:");

  EXPECT_THAT(client->read_all(), AllOf(StartsWith("HTTP/1.1 408"), HasSubstr("request_timeout")));
}

TEST_F(ServerTest, DropsABodyThatTrickles) {
  ServerOptions options;
  options.timeouts.body_window = milliseconds(20);
  start(options);
  const auto client = connect();
  client->send(post("/v1/completions", chat()).substr(0, 150));

  EXPECT_THAT(client->read_all(), StartsWith("HTTP/1.1 408"));
}

TEST_F(ServerTest, DropsABodyThatBeganFastAndStopped) {
  ServerOptions options;
  options.timeouts.body_window = milliseconds(20);
  start(options);
  const auto client = connect();
  client->send(post("/v1/completions", std::string(1 << 20, ' ')).substr(0, (1 << 20) - 1));

  EXPECT_THAT(client->read_all(), StartsWith("HTTP/1.1 408"));
}

TEST_F(ServerTest, WaitsForABodyThatKeepsItsRate) {
  ServerOptions options;
  options.timeouts.body_window = seconds(1);
  options.timeouts.body_bytes_per_window = 100;
  host_.set_script({"Hello"});
  start(options);
  const auto client = connect();
  const std::string request = post("/v1/chat/completions", std::string(2400, ' ') + chat());
  // 200 bytes at a time, over more than three windows: what comes within each is above the limit, but never
  // all at once.
  for (size_t at = 0; at < request.size(); at += 200) {
    if (at > 0) std::this_thread::sleep_for(milliseconds(260));
    client->send(request.substr(at, 200));
  }

  EXPECT_THAT(client->read_answer(), HasSubstr("Hello"));
}

TEST_F(ServerTest, BoundsWhatAllUnfinishedBodiesHold) {
  constexpr size_t kHalf = 600 << 10;
  host_.set_script({"Hello"});
  ServerOptions options;
  options.max_body_bytes = options.max_unfinished_body_bytes = 1 << 20;
  start(options);
  const std::string large = post("/v1/chat/completions", std::string(1 << 20, ' '));
  const auto first = connect();
  first->send(large.substr(0, kHalf));
  const auto second = connect();
  second->send(large.substr(0, kHalf));

  // Whichever came in later; both, where both cross the limit at one time.
  pollfd waiting[] = {{first->socket(), POLLIN, 0}, {second->socket(), POLLIN, 0}};
  ASSERT_GE(::poll(waiting, 2, -1), 1);
  const auto& refused = waiting[0].revents != 0 ? first : second;
  EXPECT_THAT(refused->read_answer(),
              AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("overloaded"), HasSubstr("Retry-After")));
  EXPECT_THAT(ask(post("/v1/chat/completions", chat())), HasSubstr("Hello"));
  // What was given up is not counted any more.
  const auto third = connect();
  third->send(post("/v1/chat/completions", std::string(400 << 10, ' ')));
  EXPECT_THAT(third->read_answer(), HasSubstr("invalid_json"));
}

TEST_F(ServerTest, ClosesIdleConnectionsWithoutAWord) {
  ServerOptions options;
  options.timeouts.idle = milliseconds(20);
  start(options);

  EXPECT_EQ(connect()->read_all(), "");
}

TEST_F(ServerTest, RefusesConnectionsOverTheLimit) {
  start({.max_connections = 2});
  const auto first = connect(), second = connect();
  first->send(get("/livez"));
  first->read_answer();
  second->send(get("/livez"));
  second->read_answer();

  EXPECT_THAT(connect()->read_all(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After")));
  first->send(get("/livez"));
  EXPECT_THAT(first->read_answer(), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, BoundsHowManyConnectionsAreBeingRefused) {
  ServerOptions options{.max_connections = 1};
  options.limits.max_refused_connections = 1;
  options.timeouts.linger = seconds(60);
  start(options);
  const auto served = connect();
  served->send(get("/livez"));
  served->read_answer();
  const auto refused = connect();
  EXPECT_THAT(refused->read_answer(), StartsWith("HTTP/1.1 503"));

  EXPECT_EQ(connect()->read_all(), "");
  served->send(get("/livez"));
  EXPECT_THAT(served->read_answer(), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, AnswersBesideHundredsOfIdleConnections) {
  start();
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int i = 0; i < 300; ++i) idle.push_back(connect());

  EXPECT_THAT(ask(get("/livez")), StartsWith("HTTP/1.1 200"));
}

// ---- Clients that leave, or do not read

TEST_F(ServerTest, FreesThePlaceOfAClientThatLeavesBeforeItsAnswer) {
  start();
  for (const bool with_reset : {false, true}) {
    for (const std::string_view more : {"", R"(,"stream":true)"}) {
      const auto client = connect();
      client->send(post("/v1/chat/completions", chat(more)));
      const auto request = host_.wait_for_request(host_.num_cancels());
      client->close(with_reset);

      EXPECT_EQ(host_.wait_for_cancels(host_.num_requests()).back(), request.request.id);
    }
  }
}

TEST_F(ServerTest, FreesThePlaceOfAClientThatLeavesInTheMiddleOfAStream) {
  start();
  const auto client = connect();
  client->send(post("/v1/chat/completions", chat(R"(,"stream":true,"n":2)")));
  const auto request = host_.wait_for_request();
  engine::SequenceUpdate update;
  update.text = "a";
  request.observer->on_update(update);
  client->read_until("\"content\":\"a\"");
  client->close();

  EXPECT_EQ(host_.wait_for_cancels(1).front(), request.request.id);
}

// docs/adr/0004-the-end-of-sending-is-leaving.md
TEST_F(ServerTest, TakesTheEndOfSendingForLeaving) {
  start();
  const auto client = connect();
  client->send(get("/version") + post("/v1/chat/completions", chat()));
  const auto request = host_.wait_for_request();
  client->finish_sending();

  EXPECT_EQ(host_.wait_for_cancels(1).front(), request.request.id);
  EXPECT_THAT(client->read_all(), StartsWith("HTTP/1.1 200"));  // what was ready before
}

TEST_F(ServerTest, NoticesAClientThatLeavesThoughItsNextRequestsFillTheBuffer) {
  start();
  const auto client = connect();
  client->send(post("/v1/chat/completions", chat()));
  host_.wait_for_request();
  std::string flood;
  while (flood.size() < (1 << 20)) flood += get("/livez");
  client->send(flood);
  client->close();

  EXPECT_EQ(host_.wait_for_cancels(1).size(), 1U);
}

TEST_F(ServerTest, KeepsTheNewsOfASlowReaderUntilItReads) {
  constexpr int kNumUpdates = 10, kUpdateBytes = 100'000;
  ServerOptions options;
  options.limits.max_stream_backlog_bytes = 64 << 10;
  start(options);
  const auto slow = connect(/*receive_buffer_bytes=*/16 << 10), other = connect();
  slow->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  const auto request = host_.wait_for_request(0);
  other->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  const auto request_of_other = host_.wait_for_request(1);

  engine::SequenceUpdate update;
  update.text = std::string(kUpdateBytes, 'x');
  for (int i = 1; i <= kNumUpdates; ++i) {
    if (i == kNumUpdates) update.finish = engine::FinishReason::kStop;
    request.observer->on_update(update);
  }
  update.text = "still here";
  request_of_other.observer->on_update(update);
  EXPECT_THAT(other->read_until("[DONE]"), HasSubstr("still here"));

  const std::string stream = slow->read_until("data: [DONE]\n\n\r\n0\r\n\r\n");
  EXPECT_GE(std::ranges::count(stream, 'x'), kNumUpdates * kUpdateBytes);
  EXPECT_THAT(stream, HasSubstr("\"finish_reason\":\"stop\""));
  EXPECT_EQ(host_.num_cancels(), 0U);
}

TEST_F(ServerTest, GivesUpAReaderWhoseNewsAreTooMany) {
  ServerOptions options;
  options.limits.max_stream_backlog_bytes = 64 << 10;
  options.limits.max_waiting_news_bytes = 256 << 10;
  start(options);
  const auto slow = connect(/*receive_buffer_bytes=*/16 << 10);
  slow->send(post("/v1/chat/completions", chat(R"(,"stream":true)"), "Connection: close\r\n"));
  const auto request = host_.wait_for_request();

  engine::SequenceUpdate update;
  update.text = std::string(100'000, 'x');
  request.observer->on_update(update);
  EXPECT_THAT(slow->read_until("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  while (host_.num_cancels() == 0) {
    request.observer->on_update(update);
    std::this_thread::yield();
  }

  EXPECT_THAT(slow->read_all(), AllOf(HasSubstr("\"code\":\"overloaded\""),
                                      testing::EndsWith("data: [DONE]\n\n\r\n0\r\n\r\n")));
  EXPECT_EQ(host_.wait_for_cancels(1).front(), request.request.id);
}

TEST_F(ServerTest, FreesThePlaceOfAReaderThatStopsAndStillTellsIt) {
  ServerOptions options;
  options.limits.max_stream_backlog_bytes = 64 << 10;
  options.timeouts.write_stall = seconds(5);  // also what this test has to begin reading after the cancel
  start(options);
  const auto paused = connect(/*receive_buffer_bytes=*/16 << 10);
  paused->send(post("/v1/chat/completions", chat(R"(,"stream":true)"), "Connection: close\r\n"));
  const auto request = host_.wait_for_request();
  engine::SequenceUpdate update;
  update.text = std::string(8 << 20, 'x');  // more than the system's buffers take
  request.observer->on_update(update);

  host_.wait_for_cancels(1);
  EXPECT_THAT(paused->read_all(),
              AllOf(HasSubstr("has stopped reading"), testing::EndsWith("data: [DONE]\n\n\r\n0\r\n\r\n")));
}

TEST_F(ServerTest, CutsOffAReaderThatStopsReading) {
  ServerOptions options;
  options.timeouts.write_stall = milliseconds(20);
  start(options);
  const auto slow = connect(/*receive_buffer_bytes=*/1024);
  std::string flood;
  for (int i = 0; i < 300; ++i) flood += get("/openapi.json");
  slow->send(flood);
  slow->read_answer();

  while (metrics_.expose().find("llamagpu_http_connections 0\n") == std::string::npos)
    std::this_thread::yield();
}

TEST_F(ServerTest, GivesAStreamThatNoWorkerTookAStatusOfItsOwnAndNoticesThatItsClientLeft) {
  ServerOptions options;
  options.timeouts.silence = milliseconds(1);
  start(options);
  const auto refused = connect(), leaving = connect();
  refused->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  const auto first = host_.wait_for_request(0);
  leaving->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  const auto second = host_.wait_for_request(1);
  std::this_thread::sleep_for(milliseconds(20));  // many silences

  first.observer->on_failed(Error{ErrorCode::kWorkerFailed, "it did not come back"});
  EXPECT_THAT(refused->read_answer(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After")));
  leaving->close();
  EXPECT_EQ(host_.wait_for_cancels(2).back(), second.request.id);
}

TEST_F(ServerTest, KeepsASilentStreamAlive) {
  ServerOptions options;
  options.timeouts.silence = milliseconds(10);
  start(options);
  const auto client = connect();
  client->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  const auto request = host_.wait_for_request();
  request.observer->on_accepted({.id = request.request.id, .prompt_tokens = {1}});

  EXPECT_THAT(client->read_until(": keep-alive\n\n"), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(client->read_until(": keep-alive\n\n"), HasSubstr("keep-alive"));
}

}  // namespace
}  // namespace llama_gpu::server
