// SPDX-License-Identifier: Apache-2.0
#include "server/request_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/clock_fake.h"
#include "base/log.h"
#include "server/json_reader.h"
#include "server/model_host_fake.h"
#include "server/request_filter_fake.h"
#include "server/response_writer_fake.h"
#include "server/routes.gen.h"
#include "server/server_context.h"

namespace llama_gpu::server {
namespace {

using testing::HasSubstr;
using Prompts = std::vector<engine::Prompt>;

// Upper case, so that it is seen to have been there.
Result<FilterText> shout(const FilterRequest& request) {
  const auto raised = [](std::string text) {
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return text;
  };
  FilterText text = request.text;
  if (auto* plain = std::get_if<std::string>(&text)) return FilterText(raised(*plain));
  for (auto& message : std::get<std::vector<text::ChatMessage>>(text))
    message.content = raised(message.content);
  return text;
}

Result<FilterText> refuse(const FilterRequest&) {
  return Error{ErrorCode::kPluginRejected, "the plugin 'acme/guard' refused the request: no"};
}

class FilterPromptsTest : public testing::Test {
 protected:
  void filter(Prompts prompts) {
    filter_prompts(filter_, {"req", "m", {}}, std::move(prompts), [this](Result<Prompts> result) {
      ++num_answers_;
      result_ = std::move(result);
    });
  }

  FakeRequestFilter filter_;
  std::optional<Result<Prompts>> result_;
  int num_answers_ = 0;
};

TEST_F(FilterPromptsTest, ReplacesTextsAndConversations) {
  filter_.set_answer(shout);
  filter({engine::TextPrompt{.text = "one"}, std::vector<TokenId>{1, 2},
          engine::ChatPrompt{.messages = {{"user", "two"}}}});

  ASSERT_TRUE(result_ && result_->ok());
  EXPECT_EQ(std::get<engine::TextPrompt>((**result_)[0]).text, "ONE");
  EXPECT_EQ(std::get<std::vector<TokenId>>((**result_)[1]).size(), 2U);
  EXPECT_EQ(std::get<engine::ChatPrompt>((**result_)[2]).messages[0].content, "TWO");
  EXPECT_EQ(filter_.requests()[0].request_id, "req");
  EXPECT_EQ(filter_.requests()[0].model, "m");
}

TEST_F(FilterPromptsTest, WaitsForAllAndAnswersTheFirstRefusalOnce) {
  filter_.hold_calls();
  filter({engine::TextPrompt{.text = "a"}, engine::TextPrompt{.text = "b"}});
  EXPECT_EQ(num_answers_, 0);
  filter_.release_held();
  EXPECT_TRUE(result_->ok());

  filter_.set_answer(refuse);
  filter({engine::TextPrompt{.text = "a"}, engine::TextPrompt{.text = "b"}});
  filter_.release_held();
  EXPECT_EQ(num_answers_, 2);
  EXPECT_EQ(result_->error().code, ErrorCode::kPluginRejected);
}

TEST_F(FilterPromptsTest, LetsTokenIdsPassUnlessEverythingMustBeSeen) {
  filter({std::vector<TokenId>{1}});
  EXPECT_TRUE(result_->ok());
  EXPECT_TRUE(filter_.requests().empty());

  filter_.set_must_see_all(true);
  filter({engine::TextPrompt{.text = "a"}, std::vector<TokenId>{1}});
  EXPECT_EQ(result_->error().code, ErrorCode::kPluginRejected);
  EXPECT_EQ(result_->error().param, "prompt");
  EXPECT_TRUE(filter_.requests().empty());
}

TEST_F(FilterPromptsTest, RefusesAnAnswerOfAnotherKind) {
  filter_.set_answer([](const FilterRequest&) { return Result<FilterText>(FilterText(std::string("x"))); });
  filter({engine::ChatPrompt{.messages = {{"user", "a"}}}});
  EXPECT_EQ(result_->error().code, ErrorCode::kInternal);
}

// Requests for text, on their way to the model.
class FilteredRequestsTest : public testing::Test {
 protected:
  FilteredRequestsTest() {
    configure_logging({.sink = [](std::string_view) {}});
    host_.set_script({"ok"});
  }
  ~FilteredRequestsTest() override { configure_logging({}); }

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
  std::shared_ptr<RecordingWriter> chat(std::string_view more = "") {
    return call(handlers::create_chat_completion,
                R"({"model":"alias","messages":[{"role":"user","content":"hi"}])" + std::string(more) + "}");
  }

  FakeModelHost host_;
  FakeRequestFilter filter_;
  telemetry::Registry metrics_;
  FakeClock clock_;
  ServerOptions options_;
  ServerContext context_{.options = options_,
                         .host = host_,
                         .metrics = metrics_,
                         .assets = {},
                         .clock = clock_,
                         .access = AccessControl(options_),
                         .filter = &filter_};
};

TEST_F(FilteredRequestsTest, AnswersWhatTheFilterLeavesOfAConversation) {
  filter_.set_answer(shout);
  EXPECT_EQ(chat()->head().status, 200);

  const auto request = host_.wait_for_request();
  EXPECT_EQ(std::get<engine::ChatPrompt>(request.request.prompt).messages[0].content, "HI");
  EXPECT_EQ(filter_.requests()[0].model, "fake");  // as it is served, whatever it was called
}

TEST_F(FilteredRequestsTest, EchoesWhatTheFilterLeavesOfAText) {
  filter_.set_answer(shout);
  const auto writer =
      call(handlers::create_completion, R"({"model":"fake","prompt":["one","two"],"echo":true})");

  const Json answer = *read_json(writer->body());
  EXPECT_EQ(answer["choices"][0]["text"], "ONEok");
  EXPECT_EQ(answer["choices"][1]["text"], "TWOok");
}

TEST_F(FilteredRequestsTest, AnswersARefusalWithoutAskingTheModel) {
  filter_.set_answer(refuse);
  const auto writer = chat(R"(,"stream":true)");

  EXPECT_EQ(writer->head().status, 400);
  EXPECT_THAT(writer->body(), HasSubstr(R"("code":"plugin_rejected")"));
  EXPECT_THAT(writer->body(), HasSubstr("acme/guard"));
  EXPECT_EQ(host_.num_requests(), 0U);
}

TEST_F(FilteredRequestsTest, AnswersAFailureOfAFilterThatFailsClosed) {
  filter_.set_answer([](const FilterRequest&) -> Result<FilterText> {
    return Error{ErrorCode::kPluginFailed, "the plugin 'acme/guard' failed"};
  });
  EXPECT_EQ(chat()->head().status, 500);
}

TEST_F(FilteredRequestsTest, AsksNoFilterThatIsNotActive) {
  filter_.set_active(false);
  filter_.set_answer(refuse);
  EXPECT_EQ(chat()->head().status, 200);
}

TEST_F(FilteredRequestsTest, NeverAsksTheModelForAClientThatLeftMeanwhile) {
  filter_.hold_calls();
  const auto writer = chat();
  EXPECT_FALSE(writer->has_begun());
  writer->close();
  filter_.release_held();
  writer->run_posted();

  EXPECT_EQ(host_.num_requests(), 0U);
}

TEST_F(FilteredRequestsTest, HoldsTheStatusOfAStreamUntilTheFilterHasDecided) {
  filter_.hold_calls();
  filter_.set_answer(refuse);
  const auto writer = chat(R"(,"stream":true)");
  writer->listener()->on_silence();
  filter_.release_held();
  writer->run_posted();

  EXPECT_EQ(writer->head().status, 400);
  EXPECT_THAT(writer->body(), HasSubstr("plugin_rejected"));
}

}  // namespace
}  // namespace llama_gpu::server
