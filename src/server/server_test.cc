// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

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

// ---- Ordinary life

TEST_F(ServerTest, AnswersManyRequestsOnOneConnection) {
  start();
  const auto client = connect();

  for (int i = 0; i < 3; ++i) {
    client->send(get("/health"));
    EXPECT_THAT(client->read_answer(),
                AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\"status\":\"ok\""),
                      HasSubstr("x-request-id: req_")));
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

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  host_.set_script({"Hello"});
  start();
  const auto client = connect();
  client->send(get("/version") + post("/v1/chat/completions", chat()) + get("/livez") + get("/nope") +
               get("/v1/models"));

  EXPECT_THAT(client->read_answer(), HasSubstr("\"version\""));
  EXPECT_THAT(client->read_answer(), HasSubstr("Hello"));
  EXPECT_THAT(client->read_answer(), HasSubstr("\"status\":\"ok\""));
  EXPECT_THAT(client->read_answer(), HasSubstr("404 Not Found"));
  EXPECT_THAT(client->read_answer(), HasSubstr("\"object\":\"list\""));
}

TEST_F(ServerTest, AnswersThousandsOfPipelinedRequestsToASlowReader) {
  start();
  const auto client = connect(/*receive_buffer_bytes=*/4096);
  std::thread sender([&] {
    for (int i = 0; i < 2000; ++i) client->send(get("/openapi.json"));
  });

  for (int i = 0; i < 2000; ++i) ASSERT_THAT(client->read_answer(), HasSubstr("\"openapi\":\"3.1.0\"")) << i;
  sender.join();
}

TEST_F(ServerTest, SpeaksHttp10WithoutChunks) {
  host_.set_script({"Hello"});
  start();
  const auto client = connect();
  const std::string body = chat(R"(,"stream":true)");
  client->send("POST /v1/chat/completions HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body);

  EXPECT_THAT(client->read_all(), AllOf(HasSubstr("Connection: close"), Not(HasSubstr("Transfer-Encoding")),
                                        testing::EndsWith("data: [DONE]\n\n")));
}

TEST_F(ServerTest, AnswersHeadWithoutABody) {
  start();
  const auto client = connect();
  client->send("HEAD /version HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/livez"));

  EXPECT_THAT(client->read_until("\r\n\r\n"), HasSubstr("Content-Length: 19"));
  EXPECT_THAT(client->read_until("\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, ClosesWhereTheClientAsksForIt) {
  start();
  const auto client = connect();
  client->send(get("/livez", "Connection: close\r\n"));

  EXPECT_THAT(client->read_all(), HasSubstr("Connection: close"));
}

TEST_F(ServerTest, AnswersAClientThatHasFinishedSending) {
  start();
  const auto client = connect();
  client->send(get("/version") + get("/livez"));
  client->finish_sending();

  EXPECT_THAT(client->read_all(), AllOf(HasSubstr("\"version\""), HasSubstr("\"status\"")));
}

TEST_F(ServerTest, SaysContinueToAClientThatWaits) {
  host_.set_script({"Hello"});
  start();
  const auto client = connect();
  const std::string request = post("/v1/chat/completions", chat(), "Expect: 100-continue\r\n");
  const size_t head_size = request.find("\r\n\r\n") + 4;
  client->send(request.substr(0, head_size));

  EXPECT_EQ(client->read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client->send(request.substr(head_size));
  EXPECT_THAT(client->read_answer(), HasSubstr("Hello"));
}

TEST_F(ServerTest, RefusesInsteadOfSayingContinue) {
  start({.max_body_bytes = 10});

  EXPECT_THAT(
      ask(post("/v1/chat/completions", "", "Expect: 100-continue\r\nContent-Length: 11\r\n").substr(0, 400)),
      StartsWith("HTTP/1.1 400"));
  const auto client = connect();
  client->send(
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n");
  EXPECT_THAT(client->read_answer(), StartsWith("HTTP/1.1 413"));
}

TEST_F(ServerTest, TakesChunkedBodies) {
  host_.set_script({"Hello"});
  start();
  const std::string body = chat();
  std::string request =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  for (const char c : body) request += "1\r\n" + std::string(1, c) + "\r\n";

  EXPECT_THAT(ask(request + "0\r\nX-Trailer: 1\r\n\r\n"), HasSubstr("Hello"));
}

TEST_F(ServerTest, CountsWhatItAnswers) {
  host_.set_script({"Hello"});
  start();
  ask(post("/v1/chat/completions", chat()));
  ask(post("/v1/chat/completions", "{"));

  EXPECT_THAT(
      ask(get("/metrics")),
      AllOf(HasSubstr(R"(llamagpu_http_requests_total{route="createChatCompletion",status_class="2xx"} 1)"),
            HasSubstr(R"(llamagpu_http_requests_total{route="createChatCompletion",status_class="4xx"} 1)")));
}

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
  options.timeouts.body_window = milliseconds(5);
  options.timeouts.body_bytes_per_window = 0;
  host_.set_script({"Hello"});
  start(options);
  const auto client = connect();
  const std::string request = post("/v1/chat/completions", chat());
  client->send(request.substr(0, 150));
  std::this_thread::sleep_for(milliseconds(30));
  client->send(request.substr(150));

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

  // Whichever came in later.
  pollfd waiting[] = {{first->socket(), POLLIN, 0}, {second->socket(), POLLIN, 0}};
  ASSERT_EQ(::poll(waiting, 2, -1), 1);
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

TEST_F(ServerTest, CutsOffAReaderThatIsTooSlow) {
  ServerOptions options;
  options.limits.max_stream_backlog_bytes = 64 << 10;
  start(options);
  const auto slow = connect(/*receive_buffer_bytes=*/1024), other = connect();
  slow->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  const auto request = host_.wait_for_request(0);
  other->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  const auto request_of_other = host_.wait_for_request(1);

  engine::SequenceUpdate update;
  update.text = std::string(100'000, 'x');
  while (host_.num_cancels() == 0) {
    request.observer->on_update(update);
    std::this_thread::yield();
  }
  EXPECT_EQ(host_.wait_for_cancels(1).front(), request.request.id);
  update.text = "still here";
  update.finish = engine::FinishReason::kStop;
  request_of_other.observer->on_update(update);
  EXPECT_THAT(other->read_until("[DONE]"), HasSubstr("still here"));
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

TEST_F(ServerTest, KeepsASilentStreamAlive) {
  ServerOptions options;
  options.timeouts.silence = milliseconds(10);
  start(options);
  const auto client = connect();
  client->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));

  EXPECT_THAT(client->read_until(": keep-alive\n\n"), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(client->read_until(": keep-alive\n\n"), HasSubstr("keep-alive"));
}

// ---- Start and end

TEST_F(ServerTest, SaysWhichAddressIsInUse) {
  start();
  const auto second = Server::start({.port = server_->port()}, {.host = host_, .metrics = metrics_});

  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kPortInUse);
  EXPECT_THAT(second.error().message, HasSubstr("127.0.0.1:" + std::to_string(server_->port())));
}

TEST_F(ServerTest, RefusesAddressesThatAreNotItsOwn) {
  for (const std::string host : {"no.such.name.invalid", "192.0.2.1"}) {
    const auto started =
        Server::start({.host = host, .port = 0, .api_keys = {"k"}}, {.host = host_, .metrics = metrics_});
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().code, ErrorCode::kConfigInvalid);
  }
}

TEST_F(ServerTest, RefusesToBeReachableWithoutAKey) {
  const auto started = Server::start({.host = "0.0.0.0", .port = 0}, {.host = host_, .metrics = metrics_});

  EXPECT_EQ(started.error().code, ErrorCode::kConfigInvalid);
}

TEST_F(ServerTest, LetsAStreamFinishWhileItStops) {
  start();
  const auto client = connect();
  client->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  const auto request = host_.wait_for_request();
  engine::SequenceUpdate update;
  update.text = "a";
  request.observer->on_update(update);
  client->read_until("\"content\":\"a\"");
  std::thread drain([&] { server_->drain(std::chrono::minutes(5)); });
  while (ask(get("/readyz")).find("draining") == std::string::npos) std::this_thread::yield();
  EXPECT_THAT(ask(post("/v1/chat/completions", chat())), HasSubstr("shutting_down"));

  update.finish = engine::FinishReason::kStop;
  request.observer->on_update(update);
  EXPECT_THAT(client->read_until("[DONE]"), HasSubstr("\"finish_reason\":\"stop\""));
  drain.join();
}

TEST_F(ServerTest, EndsAStreamWithAnErrorWhenItsTimeIsOver) {
  ServerOptions options;
  options.timeouts.linger = milliseconds(1);
  start(options);
  const auto client = connect();
  client->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  engine::SequenceUpdate update;
  update.text = "a";
  host_.wait_for_request().observer->on_update(update);
  client->read_until("\"content\":\"a\"");
  std::thread drain([&] { server_->drain(milliseconds(1)); });

  EXPECT_THAT(client->read_all(),
              AllOf(HasSubstr("shutting_down"), testing::EndsWith("data: [DONE]\n\n\r\n0\r\n\r\n")));
  drain.join();
  EXPECT_EQ(host_.num_cancels(), 1U);
}

TEST_F(ServerTest, EndsWhateverItsClientsDo) {
  start();
  const auto idle = connect(), waiting = connect(), half = connect();
  waiting->send(post("/v1/chat/completions", chat()));
  half->send("GET / HT");
  host_.wait_for_request();

  server_.reset();

  EXPECT_EQ(host_.num_cancels(), 1U);
  EXPECT_THAT(waiting->read_all(), HasSubstr("shutting_down"));
}

TEST_F(ServerTest, OutlivesObserversThatTheHostKeeps) {
  start();
  const auto client = connect();
  client->send(post("/v1/chat/completions", chat()));
  const auto request = host_.wait_for_request();
  server_.reset();

  request.observer->on_update({});
  request.observer->on_failed(Error{ErrorCode::kInternal, "late"});
}

}  // namespace
}  // namespace llama_gpu::server
