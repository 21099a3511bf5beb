// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/server_fixture.h"

namespace llama_gpu::server {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

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

TEST_F(ServerTest, ShowsEverySeriesBeforeItsFirstEvent) {
  supervisor::WorkerStatus worker;
  worker.model = "fake";
  host_.set_workers({worker});
  start();

  const std::string text = ask(get("/metrics"));

  for (const telemetry::MetricInfo& metric : telemetry::kHistograms)
    EXPECT_THAT(text, HasSubstr(std::string(metric.name) + "_count{model=\"fake\"} 0\n"));
  for (const char* name : {"requests_running", "requests_waiting", "prompt_tokens_total",
                           "generation_tokens_total", "preemptions_total", "worker_restarts_total"})
    EXPECT_THAT(text, HasSubstr("llamagpu_" + std::string(name) + "{model=\"fake\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr(R"(llamagpu_http_requests_total{route="createCompletion",status_class="5xx"} 0)"));
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

// ---- Start and end

TEST_F(ServerTest, SaysWhichAddressIsInUse) {
  start();
  const auto second = Server::start({.port = server_->port()}, {.host = host_, .metrics = metrics_});

  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kPortInUse);
  EXPECT_THAT(second.error().message, HasSubstr("127.0.0.1:" + std::to_string(server_->port())));
}

TEST_F(ServerTest, AnswersClientsThatCameBeforeItStarted) {
  ServerOptions options{.port = 0};
  auto socket = ListeningSocket::open(options);
  ASSERT_TRUE(socket.ok());
  RawClient early(socket->port());
  early.send(get("/livez"));
  EXPECT_EQ(ListeningSocket::open({.port = socket->port()}).error().code, ErrorCode::kPortInUse);

  auto started = Server::start(options, {.host = host_, .metrics = metrics_}, *std::move(socket));

  ASSERT_TRUE(started.ok());
  server_ = *std::move(started);
  EXPECT_THAT(early.read_answer(), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, GivesAnAddressBackThatItDidNotUse) {
  const uint16_t port = ListeningSocket::open({.port = 0})->port();

  EXPECT_TRUE(ListeningSocket::open({.port = port}).ok());
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

TEST_F(ServerTest, EndsAStreamAtOnceWhereSomebodyCannotWait) {
  start();
  const auto client = connect();
  client->send(post("/v1/chat/completions", chat(R"(,"stream":true)")));
  engine::SequenceUpdate update;
  update.text = "a";
  host_.wait_for_request().observer->on_update(update);
  client->read_until("\"content\":\"a\"");
  std::thread drain([&] { server_->drain(std::chrono::minutes(5)); });
  while (ask(get("/readyz")).find("draining") == std::string::npos) std::this_thread::yield();

  server_->end_answers();

  EXPECT_THAT(client->read_all(), HasSubstr("shutting_down"));
  drain.join();
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
