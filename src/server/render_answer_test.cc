// SPDX-License-Identifier: Apache-2.0
#include "server/render_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/json_reader.h"

namespace llama_gpu::server {
namespace {

using engine::FinishReason;
using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;

const AnswerHead kHead{.id = "id-1", .created_unix_seconds = 1700000000, .model = "m\"x"};

engine::SequenceUpdate update(std::string text, std::optional<FinishReason> finish = std::nullopt) {
  engine::SequenceUpdate update;
  update.text = std::move(text);
  update.finish = finish;
  return update;
}

engine::TokenLogprob logprob(std::string bytes, float value,
                             std::vector<std::pair<std::string, float>> top = {}) {
  engine::TokenLogprob out{
      .token = 1, .bytes = std::move(bytes), .logprob = value, .top = {}, .top_bytes = {}};
  for (auto& [name, score] : top) {
    out.top.emplace_back(0, score);
    out.top_bytes.push_back(name);
  }
  return out;
}

// The documents of a stream's events; the last event must be [DONE].
std::vector<Json> events_of(std::string stream) {
  const std::string done = "data: [DONE]\n\n";
  EXPECT_THAT(stream, EndsWith(done));
  stream.resize(stream.size() - done.size());
  EXPECT_EQ(stream.find('\r'), std::string::npos);
  std::vector<Json> events;
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    EXPECT_EQ(stream.substr(0, 6), "data: ");
    events.push_back(*read_json(stream.substr(6, end - 6)));
    stream.erase(0, end + 2);
  }
  return events;
}

TEST(ChatStream, SendsRoleThenTextThenFinish) {
  const auto renderer = make_chat_renderer(kHead, {.is_stream = true});
  std::string out;
  renderer->add(0, update("Hi"), out);
  renderer->add(0, update(" \"you\"\n", FinishReason::kStop), out);
  renderer->finish({}, out);

  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 4U);
  for (const Json& event : events) {
    EXPECT_EQ(event["id"], "id-1");
    EXPECT_EQ(event["object"], "chat.completion.chunk");
    EXPECT_EQ(event["created"], 1700000000);
    EXPECT_EQ(event["model"], "m\"x");
    EXPECT_TRUE(event["usage"].is_null());
  }
  EXPECT_EQ(events[0]["choices"][0]["delta"].dump(), R"({"role":"assistant","content":""})");
  EXPECT_EQ(events[1]["choices"][0]["delta"]["content"], "Hi");
  EXPECT_TRUE(events[1]["choices"][0]["finish_reason"].is_null());
  EXPECT_EQ(events[2]["choices"][0]["delta"]["content"], " \"you\"\n");
  EXPECT_EQ(events[3]["choices"][0]["delta"].dump(), "{}");
  EXPECT_EQ(events[3]["choices"][0]["finish_reason"], "stop");
}

TEST(ChatStream, SendsUsageLastWhereAskedFor) {
  const auto renderer = make_chat_renderer(kHead, {.is_stream = true, .include_usage = true});
  std::string out;
  renderer->add(0, update("", FinishReason::kLength), out);
  renderer->finish({.prompt_tokens = 3, .completion_tokens = 4, .cached_tokens = 1}, out);

  const auto events = events_of(out);
  EXPECT_EQ(events[1]["choices"][0]["finish_reason"], "length");
  EXPECT_THAT(events.back()["choices"], IsEmpty());
  EXPECT_EQ(
      events.back()["usage"].dump(),
      R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":1}})");
}

TEST(ChatStream, KeepsChoicesApart) {
  const auto renderer = make_chat_renderer(kHead, {.is_stream = true, .num_choices = 2});
  std::string out;
  renderer->add(1, update("b"), out);
  renderer->add(0, update("a"), out);
  renderer->finish({}, out);

  const auto events = events_of(out);
  EXPECT_EQ(events[0]["choices"][0]["index"], 1);
  EXPECT_EQ(events[2]["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(events[3]["choices"][0]["index"], 0);
}

TEST(ChatStream, SendsNothingForAStepWithoutText) {
  const auto renderer = make_chat_renderer(kHead, {.is_stream = true});
  std::string out;
  renderer->add(0, update("a"), out);
  const size_t size = out.size();
  renderer->add(0, update(""), out);

  EXPECT_EQ(out.size(), size);
}

TEST(ChatStream, SendsLogprobsBesideTheirText) {
  const auto renderer = make_chat_renderer(kHead, {.is_stream = true, .has_logprobs = true});
  std::string out;
  auto news = update("é");
  news.logprobs = {logprob("\xC3", -1, {{"\xC3", -1}, {"x", -2}}), logprob("\xA9", -0.25F)};
  renderer->add(0, news, out);
  renderer->finish({}, out);

  const Json content = events_of(out)[1]["choices"][0]["logprobs"]["content"];
  EXPECT_EQ(content[0].dump(),
            R"({"token":"�","logprob":-1,"bytes":[195],"top_logprobs":[)"
            R"({"token":"�","logprob":-1,"bytes":[195]},{"token":"x","logprob":-2,"bytes":[120]}]})");
  EXPECT_EQ(content[1]["bytes"].dump(), "[169]");
  EXPECT_THAT(content[1]["top_logprobs"], IsEmpty());
}

TEST(ChatDocument, HoldsEveryChoice) {
  const auto renderer = make_chat_renderer(kHead, {.num_choices = 2, .has_logprobs = true});
  std::string out;
  auto news = update("a");
  news.logprobs = {logprob("a", -1)};
  renderer->add(0, news, out);
  renderer->add(1, update("b", FinishReason::kLength), out);
  renderer->add(0, update("c", FinishReason::kStop), out);
  EXPECT_EQ(out, "");
  renderer->finish({.prompt_tokens = 1, .completion_tokens = 2}, out);

  const Json document = *read_json(out);
  EXPECT_EQ(document["object"], "chat.completion");
  EXPECT_EQ(document["choices"][0]["message"].dump(),
            R"({"role":"assistant","content":"ac","refusal":null})");
  EXPECT_EQ(document["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(document["choices"][0]["logprobs"]["content"][0]["token"], "a");
  EXPECT_EQ(document["choices"][1]["message"]["content"], "b");
  EXPECT_EQ(document["choices"][1]["finish_reason"], "length");
  EXPECT_EQ(document["usage"]["total_tokens"], 3);
}

TEST(ChatDocument, ListsNoTokenThatOnlyEndsTheAnswer) {
  const auto renderer = make_chat_renderer(kHead, {.num_choices = 2, .has_logprobs = true});
  std::string out;
  auto text = update("ab"), end = update("", FinishReason::kStop), tail = update("b", FinishReason::kStop);
  text.logprobs = {logprob("ab", -1)};
  end.logprobs = {logprob("<|im_end|>", -2)};
  tail.logprobs = {logprob("bSTOP", -3)};
  renderer->add(0, text, out);
  renderer->add(0, end, out);
  renderer->add(1, tail, out);
  renderer->finish({}, out);

  const Json choices = (*read_json(out))["choices"];
  EXPECT_EQ(choices[0]["logprobs"]["content"].size(), 1U);
  EXPECT_EQ(choices[1]["logprobs"]["content"][0]["token"], "bSTOP");
}

TEST(ChatDocument, HasNullForLogprobsNotAskedFor) {
  const auto renderer = make_chat_renderer(kHead, {});
  std::string out;
  renderer->add(0, update("", FinishReason::kStop), out);
  renderer->finish({}, out);

  EXPECT_TRUE((*read_json(out))["choices"][0]["logprobs"].is_null());
}

TEST(CompletionDocument, BeginsWithTheEchoedPrompt) {
  const auto renderer = make_completion_renderer(kHead, {.has_logprobs = true});
  renderer->echo(0, "ab");
  std::string out;
  auto news = update("c", FinishReason::kLength);
  news.prompt_logprobs = {logprob("a", 0), logprob("b", -2, {{"b", -2}, {"z", -3}})};
  news.logprobs = {logprob("c", -4)};
  renderer->add(0, news, out);
  renderer->finish({}, out);

  const Json choice = (*read_json(out))["choices"][0];
  EXPECT_EQ(choice["text"], "abc");
  EXPECT_EQ(choice["logprobs"].dump(),
            R"({"tokens":["a","b","c"],"token_logprobs":[null,-2,-4],)"
            R"("top_logprobs":[null,{"b":-2,"z":-3},{"c":-4}],"text_offset":[0,1,2]})");
}

TEST(CompletionDocument, NamesBrokenTokensByTheirBytesAndCountsCharacters) {
  const auto renderer = make_completion_renderer(kHead, {.has_logprobs = true});
  std::string out;
  auto news = update("é!", FinishReason::kStop);
  news.logprobs = {logprob("\xC3", -1), logprob("\xA9", -1, {{"\xA9", -1}, {"\xA9", -2}}), logprob("!", -1)};
  renderer->add(0, news, out);
  renderer->finish({}, out);

  const Json logprobs = (*read_json(out))["choices"][0]["logprobs"];
  EXPECT_EQ(logprobs["tokens"].dump(), R"(["bytes:\\xc3","bytes:\\xa9","!"])");
  EXPECT_EQ(logprobs["text_offset"].dump(), "[0,1,1]");
  EXPECT_EQ(logprobs["top_logprobs"][1].dump(), R"({"bytes:\\xa9":-1})");
}

TEST(CompletionStream, SendsTextAndFinishTogether) {
  const auto renderer = make_completion_renderer(kHead, {.is_stream = true, .include_usage = true});
  renderer->echo(0, "p");
  std::string out;
  renderer->add(0, update("a"), out);
  renderer->add(0, update(""), out);
  renderer->add(0, update("b", FinishReason::kStop), out);
  renderer->finish({.prompt_tokens = 1, .completion_tokens = 3}, out);

  const auto events = events_of(out);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0]["object"], "text_completion");
  EXPECT_EQ(events[0]["choices"][0].dump(),
            R"({"index":0,"text":"pa","logprobs":null,"finish_reason":null})");
  EXPECT_EQ(events[1]["choices"][0].dump(),
            R"({"index":0,"text":"b","logprobs":null,"finish_reason":"stop"})");
  EXPECT_THAT(events[2]["choices"], IsEmpty());
  EXPECT_EQ(events[2]["usage"]["total_tokens"], 4);
}

TEST(CompletionStream, OffsetsGoOnFromChunkToChunk) {
  const auto renderer = make_completion_renderer(kHead, {.is_stream = true, .has_logprobs = true});
  std::string out;
  for (const char* text : {"ab", "cd"}) {
    auto news = update(text);
    news.logprobs = {logprob(text, -1)};
    renderer->add(0, news, out);
  }
  renderer->finish({}, out);

  EXPECT_EQ(events_of(out)[1]["choices"][0]["logprobs"]["text_offset"].dump(), "[2]");
}

}  // namespace
}  // namespace llama_gpu::server
