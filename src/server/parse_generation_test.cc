// SPDX-License-Identifier: Apache-2.0
#include "server/parse_generation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>

#include "base/limits.gen.h"

namespace llama_gpu::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string chat_body(std::string_view more) {
  return R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + std::string(more) + "}";
}
std::string completion_body(std::string_view more) {
  return R"({"model":"m","prompt":"once")" + std::string(more) + "}";
}
std::string messages_body(std::string_view messages) {
  return R"({"model":"m","messages":)" + std::string(messages) + "}";
}
std::string prompt_body(std::string_view prompt, std::string_view more = "") {
  return R"({"model":"m","prompt":)" + std::string(prompt) + std::string(more) + "}";
}

GenerationCall parsed(Result<GenerationCall> call) {
  EXPECT_TRUE(call.ok()) << call.error().message;
  return *std::move(call);
}

void expect_error(const Result<GenerationCall>& call, ErrorCode code, std::string_view param) {
  ASSERT_FALSE(call.ok()) << "expected an error at " << param;
  EXPECT_EQ(error_code_info(call.error().code).name, error_code_info(code).name) << call.error().message;
  EXPECT_EQ(call.error().param, param);
}

const std::vector<text::ChatMessage>& messages_of(const GenerationCall& call) {
  return std::get<engine::ChatPrompt>(call.requests.front().prompt).messages;
}

TEST(ParseChat, GivesOpenAisDefaults) {
  const GenerationCall call = parsed(parse_chat_completion(chat_body("")));

  const engine::GenerationRequest& request = call.requests.front();
  EXPECT_EQ(call.model, "m");
  EXPECT_FALSE(call.is_stream);
  EXPECT_THAT(messages_of(call), ElementsAre(text::ChatMessage{"user", "hi"}));
  EXPECT_EQ(request.sampling.temperature, 1.0F);
  EXPECT_EQ(request.sampling.top_p, 1.0F);
  EXPECT_EQ(request.sampling.top_k, 0);
  EXPECT_EQ(request.sampling.seed, std::nullopt);
  EXPECT_EQ(request.max_tokens, std::nullopt);
  EXPECT_EQ(request.num_choices, 1);
  EXPECT_EQ(request.top_logprobs, std::nullopt);
  EXPECT_FALSE(request.ignore_eos);
}

TEST(ParseChat, ReadsEveryField) {
  const GenerationCall call = parsed(parse_chat_completion(chat_body(
      R"(,"stream":true,"stream_options":{"include_usage":true,"x":1},"n":3,"max_tokens":7,"temperature":0.5,)"
      R"("top_p":0.9,"top_k":-1,"min_p":0.1,"repetition_penalty":1.1,"presence_penalty":-1,)"
      R"("frequency_penalty":2,"seed":-5,"stop":["a","b"],"logit_bias":{"5":-100,"6":1.5},"logprobs":true,)"
      R"("top_logprobs":4,"ignore_eos":true,"response_format":{"type":"text"},"user":"u","tools":[])")));

  const engine::GenerationRequest& request = call.requests.front();
  EXPECT_TRUE(call.is_stream);
  EXPECT_TRUE(call.include_usage);
  EXPECT_THAT(call.ignored_fields, ElementsAre("user", "tools"));
  EXPECT_EQ(request.num_choices, 3);
  EXPECT_EQ(request.max_tokens, 7);
  EXPECT_EQ(request.sampling.temperature, 0.5F);
  EXPECT_EQ(request.sampling.top_p, 0.9F);
  EXPECT_EQ(request.sampling.top_k, 0);
  EXPECT_EQ(request.sampling.min_p, 0.1F);
  EXPECT_EQ(request.sampling.repetition_penalty, 1.1F);
  EXPECT_EQ(request.sampling.presence_penalty, -1.0F);
  EXPECT_EQ(request.sampling.frequency_penalty, 2.0F);
  EXPECT_EQ(request.sampling.seed, static_cast<uint64_t>(-5));
  EXPECT_THAT(request.stop, ElementsAre("a", "b"));
  EXPECT_THAT(request.sampling.logit_bias, ElementsAre(Pair(5, -100.0F), Pair(6, 1.5F)));
  EXPECT_EQ(request.top_logprobs, 4);
  EXPECT_TRUE(request.ignore_eos);
}

TEST(ParseChat, RequiresModelAndMessages) {
  expect_error(parse_chat_completion(R"({"messages":[]})"), ErrorCode::kMissingRequiredParameter, "model");
  expect_error(parse_chat_completion(R"({"model":"m"})"), ErrorCode::kMissingRequiredParameter, "messages");
  expect_error(parse_chat_completion(R"({"model":"m","messages":null})"),
               ErrorCode::kMissingRequiredParameter, "messages");
}

TEST(ParseChat, JoinsTextParts) {
  const auto call = parsed(parse_chat_completion(messages_body(
      R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b\u0000"}]}])")));

  EXPECT_EQ(messages_of(call).front().content, std::string("a\nb\0", 4));
}

TEST(ParseChat, TakesDeveloperForSystemAndEmptyTexts) {
  const auto call = parsed(parse_chat_completion(
      messages_body(R"([{"role":"developer","content":""},{"role":"assistant","content":"x","name":"n"}])")));

  EXPECT_THAT(messages_of(call),
              ElementsAre(text::ChatMessage{"system", ""}, text::ChatMessage{"assistant", "x"}));
}

TEST(ParseChat, RefusesMessagesThatAreNone) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {R"([])", "messages"},
      {R"("hi")", "messages"},
      {R"({"role":"user"})", "messages"},
      {R"(["hi"])", "messages[0]"},
      {R"([{"role":"user","content":"a"},{"role":"tool","content":"x"}])", "messages[1].role"},
      {R"([{"role":7,"content":"x"}])", "messages[0].role"},
      {R"([{"role":"user","content":5}])", "messages[0].content"},
      {R"([{"role":"user","content":[]}])", "messages[0].content"},
      {R"([{"role":"user","content":{"type":"text"}}])", "messages[0].content"},
      {R"([{"role":"user","content":["a"]}])", "messages[0].content[0]"},
      {R"([{"role":"user","content":[{"type":1,"text":"a"}]}])", "messages[0].content[0].type"},
      {R"([{"role":"user","content":[{"type":"poem","text":"a"}]}])", "messages[0].content[0].type"},
      {R"([{"role":"user","content":[{"type":"text","text":["a"]}]}])", "messages[0].content[0].text"}};
  for (const auto& [messages, param] : rows) {
    expect_error(parse_chat_completion(messages_body(messages)), ErrorCode::kInvalidValue, param);
  }
}

TEST(ParseChat, NamesMissingPartsOfAMessage) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {R"([{"content":"x"}])", "messages[0].role"},
      {R"([{"role":null,"content":"x"}])", "messages[0].role"},
      {R"([{"role":"user"}])", "messages[0].content"},
      {R"([{"role":"assistant","content":null}])", "messages[0].content"},
      {R"([{"role":"user","content":[{"type":"text","text":"a"},{"text":"b"}]}])",
       "messages[0].content[1].type"},
      {R"([{"role":"user","content":[{"type":null,"text":"a"}]}])", "messages[0].content[0].type"},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "messages[0].content[0].text"},
      {R"([{"role":"user","content":[{"type":"text","text":null}]}])", "messages[0].content[0].text"}};
  for (const auto& [messages, param] : rows) {
    expect_error(parse_chat_completion(messages_body(messages)), ErrorCode::kMissingRequiredParameter, param);
  }
}

TEST(ParseChat, RefusesImagesAndAudioByName) {
  for (const std::string_view type : {"image_url", "input_audio", "file", "video_url"}) {
    const std::string part = R"({"type":")" + std::string(type) + R"("})";
    expect_error(parse_chat_completion(messages_body(R"([{"role":"user","content":[)" + part + "]}]")),
                 ErrorCode::kUnsupportedModality, "messages[0].content[0]");
  }
}

TEST(ParseChat, BoundsTheNumberOfMessages) {
  std::string messages = "[";
  for (int64_t i = 0; i < limits::kNumMessages.max; ++i) messages += R"({"role":"user","content":"a"},)";

  parsed(parse_chat_completion(messages_body(messages.substr(0, messages.size() - 1) + "]")));
  expect_error(parse_chat_completion(messages_body(messages + R"({"role":"user","content":"a"}])")),
               ErrorCode::kInvalidValue, "messages");
}

TEST(ParseChat, TakesTheNewNameOfMaxTokens) {
  EXPECT_EQ(parsed(parse_chat_completion(chat_body(R"(,"max_completion_tokens":9)"))).requests[0].max_tokens,
            9);
  EXPECT_EQ(parsed(parse_chat_completion(chat_body(R"(,"max_completion_tokens":9,"max_tokens":9)")))
                .requests[0]
                .max_tokens,
            9);
  expect_error(parse_chat_completion(chat_body(R"(,"max_completion_tokens":9,"max_tokens":8)")),
               ErrorCode::kInvalidValue, "max_tokens");
}

TEST(ParseChat, WantsLogprobsForTopLogprobs) {
  EXPECT_EQ(parsed(parse_chat_completion(chat_body(R"(,"logprobs":true)"))).requests[0].top_logprobs, 0);
  expect_error(parse_chat_completion(chat_body(R"(,"top_logprobs":2)")), ErrorCode::kInvalidValue,
               "top_logprobs");
}

TEST(ParseChat, WantsStreamForStreamOptions) {
  expect_error(parse_chat_completion(chat_body(R"(,"stream_options":{})")), ErrorCode::kInvalidValue,
               "stream_options");
  expect_error(parse_chat_completion(chat_body(R"(,"stream":true,"stream_options":1)")),
               ErrorCode::kInvalidValue, "stream_options");
  expect_error(parse_chat_completion(chat_body(R"(,"stream":true,"stream_options":{"include_usage":1})")),
               ErrorCode::kInvalidValue, "stream_options.include_usage");
  EXPECT_FALSE(
      parsed(parse_chat_completion(chat_body(R"(,"stream":true,"stream_options":{"include_usage":null})")))
          .include_usage);
  EXPECT_FALSE(
      parsed(parse_chat_completion(chat_body(R"(,"stream":true,"stream_options":{})"))).include_usage);
}

TEST(ParseChat, RefusesAFormatThatItWouldNotKeepTo) {
  for (const std::string_view format :
       {R"({"type":"json_object"})", R"({"type":"json_schema"})", "{}", "1", "[]"}) {
    expect_error(parse_chat_completion(chat_body(R"(,"response_format":)" + std::string(format))),
                 ErrorCode::kInvalidValue, "response_format");
  }
}

TEST(ParseChat, ReadsStopStrings) {
  EXPECT_THAT(parsed(parse_chat_completion(chat_body(R"(,"stop":"x")"))).requests[0].stop, ElementsAre("x"));
  EXPECT_THAT(parsed(parse_chat_completion(chat_body(R"(,"stop":[])"))).requests[0].stop, ElementsAre());
  EXPECT_THAT(parsed(parse_chat_completion(chat_body(R"(,"stop":null)"))).requests[0].stop, ElementsAre());
  for (const std::string_view stop : {R"("")", "1", "{}", "true"}) {
    expect_error(parse_chat_completion(chat_body(R"(,"stop":)" + std::string(stop))),
                 ErrorCode::kInvalidValue, "stop");
  }
  expect_error(parse_chat_completion(chat_body(R"(,"stop":[1,2])")), ErrorCode::kInvalidValue, "stop[0]");
  expect_error(parse_chat_completion(chat_body(R"(,"stop":["a",""])")), ErrorCode::kInvalidValue, "stop[1]");
}

TEST(ParseChat, BoundsStopStrings) {
  const auto with_stop = [](int64_t count, int64_t size) {
    std::string list;
    for (int64_t i = 0; i < count; ++i) {
      list += (i == 0 ? "\"" : ",\"") + std::string(static_cast<size_t>(size), 'x') + "\"";
    }
    return parse_chat_completion(chat_body(R"(,"stop":[)" + list + "]"));
  };

  EXPECT_TRUE(with_stop(limits::kNumStop.max, limits::kStopBytes.max).ok());
  expect_error(with_stop(limits::kNumStop.max + 1, 1), ErrorCode::kInvalidValue, "stop");
  expect_error(with_stop(1, limits::kStopBytes.max + 1), ErrorCode::kInvalidValue, "stop[0]");
}

TEST(ParseChat, RefusesBiasesThatAreNone) {
  for (const std::string_view bias :
       {R"([])", R"({"x":1})", R"({"-1":1})", R"({"1.5":1})", R"({"":1})", R"({"1":101})", R"({"1":-100.5})",
        R"({"1":"2"})", R"({"1":null})", R"({"99999999999":1})"}) {
    expect_error(parse_chat_completion(chat_body(R"(,"logit_bias":)" + std::string(bias))),
                 ErrorCode::kInvalidValue, "logit_bias");
  }
  std::string many;
  for (int64_t i = 0; i <= limits::kNumLogitBias.max; ++i) {
    many += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  }
  expect_error(parse_chat_completion(chat_body(R"(,"logit_bias":{)" + many + "}")), ErrorCode::kInvalidValue,
               "logit_bias");
}

TEST(ParseChat, RefusesABodyThatIsNoObject) {
  for (const std::string_view body : {"[]", "null", "\"x\"", "1"}) {
    expect_error(parse_chat_completion(body), ErrorCode::kInvalidRequest, "");
  }
  for (const std::string_view body : {"", "{", R"({"model":"m","temperature":1e309})"}) {
    expect_error(parse_chat_completion(body), ErrorCode::kInvalidJson, "");
  }
}

TEST(ParseCompletion, GivesOpenAisDefaults) {
  const GenerationCall call = parsed(parse_completion(completion_body("")));

  EXPECT_EQ(std::get<engine::TextPrompt>(call.requests.front().prompt).text, "once");
  EXPECT_EQ(call.requests.front().max_tokens, 16);
  EXPECT_FALSE(call.echo);
}

TEST(ParseCompletion, TakesTextsAndTokenIdsAndListsOfBoth) {
  const auto text = [](const GenerationCall& call, size_t i) {
    return std::get<engine::TextPrompt>(call.requests[i].prompt).text;
  };
  const auto ids = [](const GenerationCall& call, size_t i) {
    return std::get<std::vector<TokenId>>(call.requests[i].prompt);
  };

  EXPECT_THAT(ids(parsed(parse_completion(prompt_body("[1,2,3.0]"))), 0), ElementsAre(1, 2, 3));
  const auto texts = parsed(parse_completion(prompt_body(R"(["a","b"])")));
  EXPECT_EQ(text(texts, 0) + text(texts, 1), "ab");
  const auto both = parsed(parse_completion(prompt_body(R"([[7],"b",[8,9]])")));
  EXPECT_THAT(ids(both, 0), ElementsAre(7));
  EXPECT_EQ(text(both, 1), "b");
  EXPECT_THAT(ids(both, 2), ElementsAre(8, 9));
}

TEST(ParseCompletion, RefusesPromptsThatAreNone) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {R"("")", "prompt"},        {"[]", "prompt"},         {"5", "prompt"},
      {"true", "prompt"},         {"{}", "prompt"},         {R"(["a",""])", "prompt[1]"},
      {"[[]]", "prompt[0]"},      {"[[1],2]", "prompt[1]"}, {"[1,\"a\"]", "prompt"},
      {"[-1]", "prompt"},         {"[1.5]", "prompt"},      {"[2147483648]", "prompt"},
      {"[[1,[2]]]", "prompt[0]"}, {"[null]", "prompt[0]"},  {R"([{"a":1}])", "prompt[0]"}};
  for (const auto& [prompt, param] : rows) {
    expect_error(parse_completion(prompt_body(prompt)), ErrorCode::kInvalidValue, param);
  }
  expect_error(parse_completion(R"({"model":"m"})"), ErrorCode::kMissingRequiredParameter, "prompt");
}

TEST(ParseCompletion, TakesNoTokensOnlyWithEcho) {
  expect_error(parse_completion(completion_body(R"(,"max_tokens":0)")), ErrorCode::kInvalidValue,
               "max_tokens");
  const auto call = parsed(parse_completion(completion_body(R"(,"max_tokens":0,"echo":true,"logprobs":2)")));

  EXPECT_TRUE(call.echo);
  EXPECT_EQ(call.requests[0].max_tokens, 0);
  EXPECT_EQ(call.requests[0].top_logprobs, 2);
  EXPECT_TRUE(call.requests[0].prompt_logprobs);
}

TEST(ParseCompletion, ScoresThePromptOnlyWhereItIsEchoed) {
  EXPECT_FALSE(parsed(parse_completion(completion_body(R"(,"logprobs":2)"))).requests[0].prompt_logprobs);
  EXPECT_FALSE(parsed(parse_completion(completion_body(R"(,"echo":true)"))).requests[0].prompt_logprobs);
}

TEST(ParseCompletion, BoundsPromptsAndChoices) {
  const auto with_prompts = [](int64_t count, int64_t n) {
    std::string list = "\"a\"";
    for (int64_t i = 1; i < count; ++i) list += ",\"a\"";
    return parse_completion(prompt_body("[" + list + "]", R"(,"n":)" + std::to_string(n)));
  };

  EXPECT_EQ(parsed(with_prompts(64, 2)).requests.size(), 64U);
  expect_error(with_prompts(65, 1), ErrorCode::kInvalidValue, "prompt");
  expect_error(with_prompts(64, 3), ErrorCode::kInvalidValue, "n");
}

}  // namespace
}  // namespace llama_gpu::server
