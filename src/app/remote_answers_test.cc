// SPDX-License-Identifier: Apache-2.0
#include "app/remote_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/bench.h"
#include "app/http_server_fake.h"

namespace llama_gpu::app {
namespace {

using ::testing::HasSubstr;
using Reply = HttpServerFake::Reply;
using Request = HttpServerFake::Request;

constexpr std::string_view kChatStream =
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"},\"finish_reason\":null}]}\n\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"length\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{}}\n\n"
    "data: [DONE]\n\n";

// Asks a server that gives one reply.
class RemoteAnswersTest : public ::testing::Test {
 protected:
  Result<AnswerEnd> ask(Reply reply) {
    const HttpServerFake server([&](const Request&) { return reply; });
    RemoteAnswers source(environment_, remote_server(server.url() + "/v1/", "key"), RemoteModel{"m"});
    Result<AnswerEnd> end = source.answer(
        {{"user", "Hi \xFF"}}, {.max_tokens = 5, .temperature = 0.5, .top_p = 0.9, .seed = 7},
        [&](std::string_view text) { streamed_ += text; }, cancelled_);
    requests_ = server.requests();
    return end;
  }

  Environment environment_;
  std::atomic<bool> cancelled_ = false;
  std::string streamed_;
  std::vector<Request> requests_;
};

TEST_F(RemoteAnswersTest, StreamsTheAnswer) {
  const Result<AnswerEnd> end = ask({200, {"Content-Type: text/event-stream"}, std::string(kChatStream)});

  ASSERT_TRUE(end.ok()) << end.error().message;
  EXPECT_EQ(end->text, "Hello");
  EXPECT_EQ(streamed_, "Hello");
  EXPECT_EQ(end->reason, engine::FinishReason::kLength);
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].target, "/v1/chat/completions");
  EXPECT_EQ(requests_[0].headers.at("authorization"), "Bearer key");
  EXPECT_EQ(requests_[0].body,
            "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hi \uFFFD\"}],"
            "\"max_tokens\":5,\"temperature\":0.5,\"top_p\":0.9,\"seed\":7}");
}

TEST_F(RemoteAnswersTest, ContinuesAText) {
  const HttpServerFake server([&](const Request&) {
    return Reply{200, {}, "data: {\"choices\":[{\"text\":\" upon\"}]}\n\ndata: [DONE]\n\n"};
  });
  RemoteAnswers source(environment_, remote_server(server.url(), ""), RemoteModel{"m"});

  const Result<AnswerEnd> end =
      source.complete("Once", {}, [&](std::string_view text) { streamed_ += text; }, cancelled_);
  ASSERT_TRUE(source
                  .complete(
                      "Once", {.max_tokens = 5, .temperature = {}, .top_p = {}, .seed = {}},
                      [](std::string_view) {}, cancelled_)
                  .ok());

  ASSERT_TRUE(end.ok()) << end.error().message;
  EXPECT_EQ(end->text, " upon");
  EXPECT_EQ(streamed_, " upon");
  EXPECT_EQ(server.requests()[0].target, "/v1/completions");
  EXPECT_EQ(server.requests()[0].body,
            R"({"model":"m","stream":true,"prompt":"Once","max_tokens":2147483647})");
  EXPECT_THAT(server.requests()[1].body, HasSubstr(R"("max_tokens":5)"));
}

TEST_F(RemoteAnswersTest, GivesTheServersErrorWithItsCode) {
  const Result<AnswerEnd> known =
      ask({404,
           {},
           R"({"error":{"message":"no such model","type":"x","param":"model","code":"model_not_found"}})"});
  const Result<AnswerEnd> unknown = ask({400, {}, R"({"error":{"message":"odd","code":"strange"}})"});
  const Result<AnswerEnd> broken = ask({502, {}, "<html>"});

  EXPECT_EQ(known.error(), (Error{ErrorCode::kModelNotFound, "no such model", "", "model"}));
  EXPECT_EQ(unknown.error(), (Error{ErrorCode::kInvalidRequest, "odd"}));
  EXPECT_EQ(broken.error(), (Error{ErrorCode::kInternal, "the server answered 502"}));
}

TEST_F(RemoteAnswersTest, GivesAnErrorInsideTheStream) {
  const Result<AnswerEnd> end = ask({200,
                                     {},
                                     "data: {\"error\":{\"message\":\"the worker "
                                     "ended\",\"code\":\"worker_failed\"}}\n\ndata: [DONE]\n\n"});

  EXPECT_EQ(end.error().code, ErrorCode::kWorkerFailed);
}

TEST_F(RemoteAnswersTest, EndsCancelled) {
  cancelled_ = true;

  EXPECT_EQ(ask({200, {}, std::string(kChatStream)})->reason, engine::FinishReason::kCancelled);
}

TEST_F(RemoteAnswersTest, SurvivesNonsense) {
  EXPECT_TRUE(ask({200, {}, "data: 7\n\ndata: [1]\n\ndata: {\"choices\":{}}\n\ndata: {broken\n\n"}).ok());
}

TEST(RemoteServer, IsReadInEveryForm) {
  EXPECT_EQ(remote_server("127.0.0.1:8484", "").base_url, "http://127.0.0.1:8484");
  EXPECT_EQ(remote_server("http://a/v1", "").base_url, "http://a");
  EXPECT_EQ(remote_server("https://a/x//", "").base_url, "https://a/x");
}

// A server with one model, for the list and the bench.
Reply serve_model(const Request& request) {
  if (request.target == "/v1/models") {
    return {200, {}, R"({"object":"list","data":[{"id":"m","meta":{"vocab_size":1000}},
      {"id":"n","aliases":["base"],"meta":{"has_chat_template":false}}]})"};
  }
  return {200, {}, "data: {\"choices\":[{\"text\":\"x\"}]}\n\ndata: [DONE]\n\n"};
}

TEST(RemoteModels, AreListed) {
  const HttpServerFake server(serve_model);
  const std::atomic<bool> cancelled = false;

  const auto models = *remote_models(HttpClient(Environment(), cancelled), remote_server(server.url(), ""));

  ASSERT_EQ(models.size(), 2U);
  EXPECT_EQ(models[0].id, "m");
  EXPECT_EQ(models[0].vocab_size, 1000);
  EXPECT_TRUE(models[0].has_chat_template);
  EXPECT_EQ(models[1].vocab_size, 0);
  EXPECT_FALSE(models[1].has_chat_template);
  EXPECT_EQ(models[1].aliases, std::vector<std::string>{"base"});
}

TEST(RemoteModels, GiveTheServersError) {
  const HttpServerFake server([](const Request&) {
    return Reply{401, {}, R"({"error":{"message":"who are you?","code":"invalid_api_key"}})"};
  });
  const std::atomic<bool> cancelled = false;

  EXPECT_EQ(remote_models(HttpClient(Environment(), cancelled), remote_server(server.url(), "")).error().code,
            ErrorCode::kInvalidApiKey);
}

TEST(RemoteModels, KeepAKeyFromPlainHttp) {
  const HttpServerFake server(serve_model);
  const std::atomic<bool> cancelled = false;
  const HttpClient http(Environment(), cancelled);
  // Reaches this machine, but does not say so.
  RemoteServer other = remote_server("http://0.0.0.0" + server.url().substr(16), "");

  EXPECT_TRUE(remote_models(http, other).ok());
  other.api_key = "key";
  EXPECT_THAT(remote_models(http, other).error().message, HasSubstr("the API key would go unencrypted to"));
  EXPECT_EQ(stream_events(http, other, "/", "{}", {}).error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(server.requests().size(), 1U);
  other.allow_plain_key = true;
  EXPECT_TRUE(remote_models(http, other).ok());
}

TEST(BenchRemote, MeasuresBothPhasesOverHttp) {
  const HttpServerFake server(serve_model);
  const std::atomic<bool> cancelled = false;
  const HttpClient http(Environment(), cancelled);

  const Result<BenchReport> report =
      bench_remote(http, remote_server(server.url(), ""), "",
                   {.prompt_tokens = 20, .generate_tokens = 3, .streams = 2, .repeats = 2});

  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->model, "m");
  ASSERT_EQ(report->figures.size(), 2U);
  for (const BenchFigure& figure : report->figures) {
    EXPECT_EQ(figure.samples.size(), 2U);
    EXPECT_GT(figure.min(), 0);
  }
  EXPECT_EQ(server.requests().size(), 1U + 2 * 2 * 2);
  EXPECT_THAT(server.requests()[1].body, HasSubstr("\"max_tokens\":1,\"ignore_eos\":true"));
}

TEST(BenchRemote, PassesTheServersErrorOn) {
  const HttpServerFake server([](const Request& request) {
    if (request.target == "/v1/models") return Reply{200, {}, R"({"data":[]})"};
    return Reply{400, {}, R"({"error":{"message":"too long","code":"context_length_exceeded"}})"};
  });
  const std::atomic<bool> cancelled = false;
  const HttpClient http(Environment(), cancelled);

  EXPECT_EQ(bench_remote(http, remote_server(server.url(), ""), "", {}).error().code,
            ErrorCode::kModelNotFound);
  EXPECT_EQ(bench_remote(http, remote_server(server.url(), ""), "alias", {}).error().code,
            ErrorCode::kContextLengthExceeded);
}

}  // namespace
}  // namespace llama_gpu::app
