// SPDX-License-Identifier: Apache-2.0
#include "server/generation_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/clock_fake.h"
#include "base/log.h"
#include "server/json_reader.h"
#include "server/model_host_fake.h"
#include "server/response_writer_fake.h"
#include "server/routes.gen.h"
#include "server/server_context.h"

namespace llama_gpu::server {
namespace {

using engine::FinishReason;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class GenerationExchangeTest : public testing::Test {
 protected:
  GenerationExchangeTest() {
    configure_logging({.sink = [](std::string_view) {}});
  }
  ~GenerationExchangeTest() override { configure_logging({}); }

  // Calls a route's handler with this body.
  std::shared_ptr<RecordingWriter> call(Handler handler, std::string body) {
    auto writer = std::make_shared<RecordingWriter>();
    HttpRequest request;
    request.body = std::move(body);
    handler(Exchange{.server = context_,
                     .request = std::move(request),
                     .path_argument = "",
                     .request_id = "req",
                     .writer = writer});
    writer->run_posted();
    return writer;
  }

  std::shared_ptr<RecordingWriter> chat(std::string_view more) {
    return call(handlers::create_chat_completion,
                R"({"model":"fake","messages":[{"role":"user","content":"hi"}])" + std::string(more) + "}");
  }
  std::shared_ptr<RecordingWriter> completion(std::string_view fields) {
    return call(handlers::create_completion, R"({"model":"alias",)" + std::string(fields) + "}");
  }

  static engine::SequenceUpdate update(std::string text, std::optional<FinishReason> finish = std::nullopt) {
    engine::SequenceUpdate update;
    update.text = std::move(text);
    update.tokens = {1};
    update.finish = finish;
    return update;
  }

  static Json document(const RecordingWriter& writer) {
    const auto read = read_json(writer.body());
    EXPECT_TRUE(read.ok()) << writer.body();
    return read.ok() ? *read : Json();
  }

  FakeModelHost host_;
  telemetry::Registry metrics_;
  FakeClock clock_;
  ServerOptions options_;
  ServerContext context_{.options = options_,
                         .host = host_,
                         .metrics = metrics_,
                         .assets = {},
                         .clock = clock_,
                         .access = AccessControl(options_)};
};

TEST_F(GenerationExchangeTest, AnswersAChatWithOneDocument) {
  host_.set_script({"Hello", " you"});
  const auto writer = chat(R"(,"unknown":1,"x\r\ny,":2)");

  const Json answer = document(*writer);
  EXPECT_THAT(answer["id"].get<std::string>(), testing::StartsWith("chatcmpl-"));
  EXPECT_EQ(answer["model"], "fake");
  EXPECT_EQ(answer["created"], 1'700'000'000);
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "Hello you");
  EXPECT_EQ(answer["usage"]["prompt_tokens"], 19);  // "user: hi\nassistant:"
  EXPECT_EQ(answer["usage"]["completion_tokens"], 2);
  EXPECT_EQ(writer->head().headers.find("x-ignored-fields"), "unknown, x??y?");
}

TEST_F(GenerationExchangeTest, EchoesTheNameThatTheRequestUsed) {
  host_.set_script({"a"});
  const auto writer = completion(R"("prompt":"x")");

  EXPECT_EQ(document(*writer)["model"], "alias");
  EXPECT_EQ(host_.wait_for_request().model, "fake");
  EXPECT_THAT(document(*writer)["id"].get<std::string>(), testing::StartsWith("cmpl-"));
}

TEST_F(GenerationExchangeTest, NumbersChoicesPromptByPrompt) {
  host_.set_script({"a", "b"});
  const auto writer = completion(R"("prompt":["one",[2,3]],"n":2,"max_tokens":1,"echo":true)");

  const Json answer = document(*writer);
  ASSERT_EQ(answer["choices"].size(), 4U);
  EXPECT_EQ(answer["choices"][1]["text"], "onea");
  EXPECT_EQ(answer["choices"][2]["text"],
            "\x02\x03"
            "a");
  EXPECT_EQ(answer["choices"][3]["index"], 3);
  EXPECT_EQ(answer["choices"][3]["finish_reason"], "length");
  EXPECT_EQ(answer["usage"]["prompt_tokens"], 5);
  EXPECT_EQ(answer["usage"]["completion_tokens"], 4);
}

TEST_F(GenerationExchangeTest, ScoresAPromptWithoutGenerating) {
  host_.set_script({"a"});
  const auto writer = completion(R"("prompt":"xy","max_tokens":0,"echo":true,"logprobs":1)");

  const Json choice = document(*writer)["choices"][0];
  EXPECT_EQ(choice["text"], "xy");
  EXPECT_EQ(choice["logprobs"]["token_logprobs"].dump(), "[null,-0.5]");
  EXPECT_EQ(document(*writer)["usage"]["completion_tokens"], 0);
}

TEST_F(GenerationExchangeTest, RefusesAnUnknownModelAndNamesThoseThereAreWithTheirAliases) {
  const auto writer = call(handlers::create_completion, R"({"model":"nope","prompt":"x"})");

  EXPECT_EQ(writer->head().status, 404);
  EXPECT_THAT(writer->body(), AllOf(HasSubstr("model_not_found"), HasSubstr("served: 'fake', 'alias'")));
  EXPECT_EQ(call(handlers::create_completion, R"({"model":"","prompt":"x"})")->head().status, 404);
  host_.set_models({});
  EXPECT_THAT(call(handlers::create_completion, R"({"model":"","prompt":"x"})")->body(),
              HasSubstr("no model is served"));
}

TEST_F(GenerationExchangeTest, RefusesNewWorkWhileTheServerStops) {
  context_.is_draining = true;

  EXPECT_EQ(chat("")->head().status, 503);
  EXPECT_EQ(host_.num_requests(), 0U);
}

TEST_F(GenerationExchangeTest, WaitsForTheFirstTokenWithTheStatus) {
  const auto writer = chat(R"(,"stream":true)");
  const auto request = host_.wait_for_request();
  request.observer->on_accepted({.id = request.request.id, .prompt_tokens = {1, 2}});
  writer->run_posted();
  EXPECT_FALSE(writer->has_begun());

  request.observer->on_update(update("a"));
  writer->run_posted();
  EXPECT_TRUE(writer->is_stream());
  EXPECT_THAT(writer->body(), HasSubstr(R"("content":"a")"));

  request.observer->on_update(update("b", FinishReason::kStop));
  writer->run_posted();
  EXPECT_TRUE(writer->has_ended());
  EXPECT_THAT(writer->body(), EndsWith("data: [DONE]\n\n"));
}

TEST_F(GenerationExchangeTest, WritesTheNewsOfOneStepAtOnce) {
  const auto writer = chat(R"(,"stream":true,"n":2)");
  const auto request = host_.wait_for_request();
  auto first = update("a", FinishReason::kStop), second = update("b", FinishReason::kStop);
  second.choice = 1;
  request.observer->on_update(first);
  request.observer->on_update(second);
  EXPECT_FALSE(writer->has_begun());
  writer->run_posted();

  EXPECT_TRUE(writer->has_ended());
}

TEST_F(GenerationExchangeTest, GivesAnErrorBeforeTheFirstTokenItsStatus) {
  for (const std::string_view more : {"", R"(,"stream":true)"}) {
    const auto writer = chat(more);
    host_.wait_for_request(host_.num_requests() - 1)
        .observer->on_failed(
            Error{ErrorCode::kContextLengthExceeded, "the prompt has 9 tokens, the context 8"});
    writer->run_posted();

    EXPECT_EQ(writer->head().status, 400);
    EXPECT_THAT(writer->body(), HasSubstr("context_length_exceeded"));
  }
}

TEST_F(GenerationExchangeTest, EndsAStreamThatFailsWithAnErrorEvent) {
  const auto writer = chat(R"(,"stream":true)");
  const auto request = host_.wait_for_request();
  request.observer->on_update(update("a"));
  writer->run_posted();
  request.observer->on_update(update("b"));
  request.observer->on_failed(Error{ErrorCode::kWorkerFailed, "the worker ended"});
  writer->run_posted();

  EXPECT_TRUE(writer->has_ended());
  EXPECT_THAT(writer->body(), AllOf(HasSubstr(R"("content":"b")"), HasSubstr(R"("code":"worker_failed")"),
                                    EndsWith("data: [DONE]\n\n")));
}

TEST_F(GenerationExchangeTest, NeverSendsAFinishReasonOfItsOwn) {
  for (const FinishReason finish : {FinishReason::kCancelled, FinishReason::kError}) {
    const auto writer = chat("");
    auto last = update("", finish);
    if (finish == FinishReason::kError) last.error = Error{ErrorCode::kNumericError, "not finite"};
    host_.wait_for_request(host_.num_requests() - 1).observer->on_update(last);
    writer->run_posted();

    EXPECT_EQ(writer->head().status, 500);
  }
}

TEST_F(GenerationExchangeTest, RefusesAChoiceThatWasNotAskedFor) {
  const auto writer = chat("");
  auto wrong = update("x");
  wrong.choice = 1;
  host_.wait_for_request().observer->on_update(wrong);
  writer->run_posted();

  EXPECT_EQ(writer->head().status, 500);
  EXPECT_EQ(host_.num_cancels(), 1U);
}

TEST_F(GenerationExchangeTest, CancelsTheOtherPromptsWhenOneFails) {
  const auto writer = completion(R"("prompt":["a","b"])");
  host_.wait_for_request(1).observer->on_failed(Error{ErrorCode::kInvalidValue, "bad"});
  writer->run_posted();

  EXPECT_EQ(writer->head().status, 400);
  EXPECT_EQ(host_.num_cancels(), 2U);
}

TEST_F(GenerationExchangeTest, CancelsWhenTheClientLeaves) {
  const auto writer = chat("");
  const auto request = host_.wait_for_request();
  writer->close();

  EXPECT_THAT(host_.wait_for_cancels(1), ElementsAre(request.request.id));
  request.observer->on_update(update("late", FinishReason::kStop));
  writer->run_posted();
  EXPECT_FALSE(writer->has_begun());
}

TEST_F(GenerationExchangeTest, KeepsASilentStreamAliveWithComments) {
  const auto writer = chat(R"(,"stream":true)");
  const auto request = host_.wait_for_request();
  request.observer->on_accepted({.id = request.request.id, .prompt_tokens = {1, 2}});
  writer->run_posted();
  writer->listener()->on_silence();

  EXPECT_EQ(writer->head().status, 200);
  EXPECT_EQ(writer->body(), ": keep-alive\n\n");
  writer->close();
}

TEST_F(GenerationExchangeTest, HoldsTheStatusWhileNoWorkerHasEveryPrompt) {
  const auto writer = completion(R"("prompt":["a","b"],"stream":true)");
  const auto first = host_.wait_for_request(0), second = host_.wait_for_request(1);
  first.observer->on_accepted({.id = first.request.id, .prompt_tokens = {1}});
  writer->run_posted();
  writer->listener()->on_silence();
  EXPECT_FALSE(writer->has_begun());

  second.observer->on_failed(Error{ErrorCode::kWorkerFailed, "the model cannot be loaded"});
  writer->run_posted();
  EXPECT_EQ(writer->head().status, 503);
  EXPECT_NE(writer->head().headers.find("Retry-After"), std::nullopt);
}

TEST_F(GenerationExchangeTest, HoldsTheStatusWhileItsWorkerIsReplaced) {
  const auto writer = chat(R"(,"stream":true)");
  const auto request = host_.wait_for_request();
  request.observer->on_accepted({.id = request.request.id, .prompt_tokens = {1}});
  writer->run_posted();
  auto models = host_.models();
  models[0].is_ready = false;
  host_.set_models(models);
  writer->listener()->on_silence();
  EXPECT_FALSE(writer->has_begun());

  request.observer->on_failed(Error{ErrorCode::kWorkerFailed, "it did not come back"});
  writer->run_posted();
  EXPECT_EQ(writer->head().status, 503);
}

TEST_F(GenerationExchangeTest, HoldsBackWhileTheClientIsFarBehind) {
  const auto writer = chat(R"(,"stream":true)");
  const auto request = host_.wait_for_request();
  request.observer->on_update(update("first"));
  writer->run_posted();
  writer->set_congested(true);
  for (int i = 0; i < 100; ++i) request.observer->on_update(update("more"));
  request.observer->on_update(update("last", FinishReason::kStop));
  writer->run_posted();
  writer->listener()->on_silence();

  EXPECT_THAT(writer->body(),
              AllOf(HasSubstr("first"), Not(HasSubstr("more")), Not(HasSubstr("keep-alive"))));
  writer->set_congested(false);
  EXPECT_TRUE(writer->has_ended());
  EXPECT_THAT(writer->body(), AllOf(HasSubstr("last"), EndsWith("data: [DONE]\n\n")));
}

TEST_F(GenerationExchangeTest, EndsWithAnErrorWhereTooMuchWaits) {
  options_.limits.max_waiting_news_bytes = 10'000;
  const auto writer = chat(R"(,"stream":true)");
  const auto request = host_.wait_for_request();
  request.observer->on_update(update("first"));
  writer->run_posted();
  writer->set_congested(true);
  for (int i = 0; i < 200; ++i) request.observer->on_update(update("more"));
  writer->run_posted();

  // Its place is free at once, though the client does not know yet.
  EXPECT_THAT(host_.wait_for_cancels(1), ElementsAre(request.request.id));
  EXPECT_FALSE(writer->has_ended());
  writer->set_congested(false);
  EXPECT_TRUE(writer->has_ended());
  EXPECT_THAT(writer->body(),
              AllOf(HasSubstr("more"), HasSubstr(R"("code":"overloaded")"), EndsWith("data: [DONE]\n\n")));
}

TEST_F(GenerationExchangeTest, CountsLogprobsThatWait) {
  options_.limits.max_waiting_news_bytes = 10'000;
  const auto writer = chat(R"(,"stream":true,"logprobs":true,"top_logprobs":20)");
  const auto request = host_.wait_for_request();
  auto scored = update("a");
  scored.logprobs = {{.token = 1, .bytes = "a", .logprob = -1, .top = {}, .top_bytes = {}}};
  scored.logprobs[0].top.assign(20, {1, -1.0F});
  scored.logprobs[0].top_bytes.assign(20, "a");
  writer->set_congested(true);
  for (int i = 0; i < 20; ++i) request.observer->on_update(scored);
  writer->run_posted();

  EXPECT_EQ(host_.num_cancels(), 1U);
  writer->close();
}

TEST_F(GenerationExchangeTest, GivesUpTheLargestWhereAllTogetherHoldTooMuch) {
  options_.limits.max_waiting_news_bytes_of_all = 3 << 20;
  const auto slow = chat(R"(,"stream":true)");
  const auto slow_request = host_.wait_for_request();
  const auto modest = chat(R"(,"stream":true)");
  const auto modest_request = host_.wait_for_request(1);
  slow->set_congested(true);
  for (int i = 0; i < 4; ++i) slow_request.observer->on_update(update(std::string(1 << 20, 'a')));
  modest_request.observer->on_update(update("b", FinishReason::kStop));
  slow->run_posted();
  modest->run_posted();

  EXPECT_THAT(host_.wait_for_cancels(1), ElementsAre(slow_request.request.id));
  EXPECT_THAT(modest->body(), EndsWith("data: [DONE]\n\n"));
  slow->close();
}

TEST_F(GenerationExchangeTest, MeasuresATokenWhenItComesNotWhenItIsRead) {
  const auto writer = chat(R"(,"stream":true)");
  const auto request = host_.wait_for_request();
  writer->set_congested(true);
  clock_.advance(milliseconds(100));
  request.observer->on_update(update("a", FinishReason::kStop));
  clock_.advance(milliseconds(60'000));
  writer->set_congested(false);
  writer->run_posted();

  EXPECT_THAT(metrics_.expose(), HasSubstr("llamagpu_time_to_first_token_seconds_sum{model=\"fake\"} 0.1"));
}

TEST_F(GenerationExchangeTest, SendsNothingIntoADocument) {
  const auto writer = chat("");
  writer->listener()->on_silence();

  EXPECT_FALSE(writer->has_begun());
  writer->close();
}

TEST_F(GenerationExchangeTest, EndsWhenTheServerStops) {
  const auto writer = chat(R"(,"stream":true)");
  host_.wait_for_request().observer->on_update(update("a"));
  writer->run_posted();
  const auto listener = writer->listener();
  listener->on_abort(Error{ErrorCode::kShuttingDown, "the server is being stopped"});

  EXPECT_TRUE(writer->has_ended());
  EXPECT_THAT(writer->body(), AllOf(HasSubstr("shutting_down"), EndsWith("data: [DONE]\n\n")));
  EXPECT_EQ(host_.num_cancels(), 1U);
}

TEST_F(GenerationExchangeTest, EchoesTokenIdsAsTheWorkerReadsThem) {
  const auto writer = completion(R"("prompt":[[97,98],"text"],"echo":true,"max_tokens":1)");
  const auto ids = host_.wait_for_request(0), text = host_.wait_for_request(1);
  EXPECT_TRUE(ids.request.wants_prompt_text);
  EXPECT_FALSE(text.request.wants_prompt_text);

  text.observer->on_update(update("!", FinishReason::kLength));
  ids.observer->on_accepted({.id = ids.request.id, .prompt_tokens = {97, 98}, .prompt_text = "ab"});
  ids.observer->on_update(update("c", FinishReason::kLength));
  writer->run_posted();

  EXPECT_EQ(document(*writer)["choices"][0]["text"], "abc");
  EXPECT_EQ(document(*writer)["choices"][1]["text"], "text!");
}

TEST_F(GenerationExchangeTest, MeasuresTokensAndTimes) {
  const auto writer = chat(R"(,"stream":true)");
  const auto request = host_.wait_for_request();
  request.observer->on_accepted({.id = request.request.id, .prompt_tokens = {1, 2, 3}});
  EXPECT_EQ(request.request.received_ns, std::chrono::nanoseconds(clock_.now().time_since_epoch()).count());
  clock_.advance(milliseconds(100));
  auto first = update("a");
  first.queue_microseconds = 20'000;
  request.observer->on_update(first);
  writer->run_posted();
  clock_.advance(milliseconds(50));
  auto last = update("b", FinishReason::kStop);
  last.queue_microseconds = 90'000;  // as a second worker would say
  request.observer->on_update(last);
  writer->run_posted();

  const std::string text = metrics_.expose();
  EXPECT_THAT(text, AllOf(HasSubstr("llamagpu_prompt_tokens_total{model=\"fake\"} 3\n"),
                          HasSubstr("llamagpu_generation_tokens_total{model=\"fake\"} 2\n"),
                          HasSubstr("llamagpu_time_to_first_token_seconds_sum{model=\"fake\"} 0.1"),
                          HasSubstr("llamagpu_queue_time_seconds_sum{model=\"fake\"} 0.02"),
                          HasSubstr("llamagpu_queue_time_seconds_count{model=\"fake\"} 1\n"),
                          HasSubstr("llamagpu_inter_token_latency_seconds_sum{model=\"fake\"} 0.05"),
                          HasSubstr("llamagpu_request_duration_seconds_sum{model=\"fake\"} 0.15")));
}

TEST_F(GenerationExchangeTest, CountsCachedTokens) {
  const auto writer = chat("");
  auto last = update("a", FinishReason::kStop);
  last.num_cached_prompt_tokens = 16;
  host_.wait_for_request().observer->on_update(last);
  writer->run_posted();

  EXPECT_EQ(document(*writer)["usage"]["prompt_tokens_details"]["cached_tokens"], 16);
}

TEST_F(GenerationExchangeTest, RefusesBadBodiesWithTheirField) {
  EXPECT_THAT(chat(R"(,"temperature":3)")->body(), HasSubstr(R"("param":"temperature")"));
  EXPECT_THAT(completion(R"("prompt":"")")->body(), HasSubstr(R"("param":"prompt")"));
}

TEST(IgnoredFields, FitIntoAHeader) {
  EXPECT_EQ(ignored_fields_header({}), "");
  EXPECT_EQ(ignored_fields_header({"a", "b c", "é"}), "a, b?c, ??");
  const std::string many = ignored_fields_header(std::vector<std::string>(40, std::string(100, 'x')));
  EXPECT_THAT(many, EndsWith("x, ..."));
  EXPECT_LT(many.size(), 2200U);
}

}  // namespace
}  // namespace llama_gpu::server
