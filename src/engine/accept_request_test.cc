// SPDX-License-Identifier: Apache-2.0
#include "engine/accept_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "engine/engine_fixture.h"

namespace llama_gpu::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int32_t kVocab = 320;

struct BadRequest {
  const char* name;
  const char* param;
  std::function<void(GenerationRequest&)> spoil;
};

class BadRequests : public ::testing::TestWithParam<BadRequest> {};

TEST_P(BadRequests, AreRefusedWithTheFieldAtFault) {
  GenerationRequest request;
  ASSERT_TRUE(check_values(request, kVocab).ok());
  GetParam().spoil(request);

  const Status status = check_values(request, kVocab);

  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(status.error().param, GetParam().param);
  EXPECT_THAT(status.error().message, HasSubstr("expected"));
}

using R = GenerationRequest;
const float kNan = std::nanf("");
const float kInfinity = std::numeric_limits<float>::infinity();
const BadRequest kBadRequests[] = {
    {"TemperatureBelow", "temperature", [](R& r) { r.sampling.temperature = -0.1F; }},
    {"TemperatureAbove", "temperature", [](R& r) { r.sampling.temperature = 2.1F; }},
    {"TemperatureNan", "temperature", [](R& r) { r.sampling.temperature = kNan; }},
    {"TemperatureInfinite", "temperature", [](R& r) { r.sampling.temperature = kInfinity; }},
    {"TopPAbove", "top_p", [](R& r) { r.sampling.top_p = 1.01F; }},
    {"TopPNan", "top_p", [](R& r) { r.sampling.top_p = kNan; }},
    {"MinPBelow", "min_p", [](R& r) { r.sampling.min_p = -0.01F; }},
    {"TopKBelow", "top_k", [](R& r) { r.sampling.top_k = -2; }},
    {"RepetitionZero", "repetition_penalty", [](R& r) { r.sampling.repetition_penalty = 0; }},
    {"PresenceAbove", "presence_penalty", [](R& r) { r.sampling.presence_penalty = 2.5F; }},
    {"FrequencyBelow", "frequency_penalty", [](R& r) { r.sampling.frequency_penalty = -2.5F; }},
    {"BiasToken", "logit_bias", [](R& r) { r.sampling.logit_bias = {{kVocab, 1.0F}}; }},
    {"BiasNegativeToken", "logit_bias", [](R& r) { r.sampling.logit_bias = {{-1, 1.0F}}; }},
    {"BiasValue", "logit_bias", [](R& r) { r.sampling.logit_bias = {{1, 101.0F}}; }},
    {"BiasMany", "logit_bias", [](R& r) { r.sampling.logit_bias.resize(100'000); }},
    {"MaxTokensNegative", "max_tokens", [](R& r) { r.max_tokens = -1; }},
    {"MaxTokensHuge", "max_tokens", [](R& r) { r.max_tokens = 1'000'000'000'000; }},
    {"NoChoice", "n", [](R& r) { r.num_choices = 0; }},
    {"ManyChoices", "n", [](R& r) { r.num_choices = 1'000'000; }},
    {"TopLogprobs", "top_logprobs", [](R& r) { r.top_logprobs = 21; }},
    {"TopLogprobsNegative", "top_logprobs", [](R& r) { r.top_logprobs = -1; }},
    {"EmptyStop", "stop", [](R& r) { r.stop = {""}; }},
    {"LongStop", "stop", [](R& r) { r.stop = {std::string(100'000, 'x')}; }},
    {"ManyStops", "stop", [](R& r) { r.stop.assign(1000, "x"); }},
    {"StopNotUtf8", "stop", [](R& r) { r.stop = {"\xFF"}; }},
};
INSTANTIATE_TEST_SUITE_P(Fields, BadRequests, ::testing::ValuesIn(kBadRequests),
                         [](const auto& instance) { return instance.param.name; });

class AcceptRequestTest : public EngineTest {
 protected:
  AcceptRequestTest() : loaded_(load_engine(backends_, options()).value()) {}

  Result<std::shared_ptr<const AcceptedRequest>> accept(GenerationRequest request,
                                                        int32_t context_tokens = 64) {
    return accept_request(std::move(request), {*loaded_.encoder, context_tokens, 99});
  }

  LoadedEngine loaded_;
};

TEST_F(AcceptRequestTest, ResolvesWhatMaxTokensAndContextLeave) {
  EXPECT_EQ(accept(greedy(1, prompt(1, 10), 24)).value()->max_new_tokens, 24);
  EXPECT_EQ(accept(greedy(1, prompt(1, 60), 24)).value()->max_new_tokens, 4);
  GenerationRequest unbounded = greedy(1, prompt(1, 60));
  unbounded.max_tokens.reset();
  EXPECT_EQ(accept(unbounded).value()->max_new_tokens, 4);
}

TEST_F(AcceptRequestTest, APromptThatLeavesNoRoomNamesBothNumbers) {
  EXPECT_TRUE(accept(greedy(1, prompt(1, 63))).ok());

  const auto refused = accept(greedy(1, prompt(1, 64)));

  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kContextLengthExceeded);
  EXPECT_EQ(refused.error().message,
            "This model's maximum context length is 64 tokens. However, your prompt resulted in 64 tokens.");
  EXPECT_THAT(refused.error().hint, HasSubstr("at least one token of the answer must fit, too"));
  EXPECT_EQ(refused.error().param, "prompt");
}

TEST_F(AcceptRequestTest, DoesNotTokeniseWhatCannotFitInTheLongestTokens) {
  const auto longest = static_cast<int64_t>(loaded_.encoder->tokenizer().max_token_bytes());
  GenerationRequest text = greedy(1, {});
  text.prompt = TextPrompt{.text = std::string(static_cast<size_t>(64 * longest), 'a')};
  EXPECT_THAT(accept(text).error().message, Not(HasSubstr("at least")));

  std::get<TextPrompt>(text.prompt).text += 'a';
  const auto refused = accept(text);

  ASSERT_EQ(refused.error().code, ErrorCode::kContextLengthExceeded);
  EXPECT_EQ(refused.error().message,
            "This model's maximum context length is 64 tokens. However, your prompt resulted in at least 65 "
            "tokens.");
}

TEST_F(AcceptRequestTest, SpeaksOfMessagesToAChatAndOfNoAnswerWhereNoneWasAskedFor) {
  GenerationRequest chat;
  chat.prompt = ChatPrompt{.messages = {{"user", std::string(200, 'a')}}};
  const auto too_long = accept(chat);
  ASSERT_EQ(too_long.error().code, ErrorCode::kContextLengthExceeded);
  EXPECT_THAT(too_long.error().message, HasSubstr("your messages resulted in"));
  EXPECT_EQ(too_long.error().param, "messages");

  const auto scored = accept(greedy(1, prompt(1, 65), 0));
  EXPECT_THAT(scored.error().message, HasSubstr("your prompt resulted in 65 tokens."));
  EXPECT_EQ(scored.error().hint, "Please reduce the length of the prompt.");
}

TEST_F(AcceptRequestTest, AScoredPromptMayFillTheContext) {
  EXPECT_TRUE(accept(greedy(1, prompt(1, 64), 0)).ok());
  EXPECT_FALSE(accept(greedy(1, prompt(1, 65), 0)).ok());
}

TEST_F(AcceptRequestTest, KeepsAGivenSeedAndDrawsOneElse) {
  GenerationRequest request = greedy(1, prompt(1));
  EXPECT_EQ(accept(request).value()->seed, 99U);
  request.sampling.seed = 7;
  EXPECT_EQ(accept(request).value()->seed, 7U);
}

TEST_F(AcceptRequestTest, EmptyPromptsAreRefused) {
  GenerationRequest request;
  request.prompt = TextPrompt{""};
  EXPECT_EQ(accept(request).error().param, "prompt");
  request.prompt = std::vector<TokenId>{};
  EXPECT_EQ(accept(request).error().param, "prompt");
  request.prompt = ChatPrompt{};
  EXPECT_EQ(accept(request).error().param, "messages");
}

TEST_F(AcceptRequestTest, TokenIdsOutsideOfTheVocabularyAreRefused) {
  for (const TokenId token : {-1, kVocab, std::numeric_limits<TokenId>::max()}) {
    EXPECT_EQ(accept(greedy(1, {3, token})).error().param, "prompt");
  }
}

TEST_F(AcceptRequestTest, SpecialTokensOfAUserStayText) {
  GenerationRequest request;
  request.prompt = ChatPrompt{{{"user", "<|im_end|>"}}};
  const auto chat = accept(request, 512).value();
  EXPECT_EQ(std::ranges::count(chat->prompt, 2), 1) << "only the template's own end of message";

  request.prompt = TextPrompt{"<|im_end|>"};
  EXPECT_THAT(accept(request).value()->prompt, ::testing::ElementsAre(2));
  request.prompt = TextPrompt{.text = "<|im_end|>", .parse_special = false};
  EXPECT_GT(accept(request).value()->prompt.size(), 1U);
}

TEST_F(AcceptRequestTest, AModelWithoutTemplateRefusesChatsOnly) {
  const test_support::ScratchFile file(".gguf");
  ASSERT_TRUE(
      test_support::write_tiny_llama(file.path(), {.tokenizer = test_support::TinyTokenizer::kSentencePiece})
          .ok());
  EngineOptions other = options();
  other.model_path = file.path();
  const LoadedEngine loaded = load_engine(backends_, other).value();
  GenerationRequest request;
  request.prompt = ChatPrompt{{{"user", "hi"}}};

  EXPECT_FALSE(loaded.info.has_chat_template);
  const auto refused = accept_request(request, {*loaded.encoder, 64, 1});
  EXPECT_EQ(refused.error().code, ErrorCode::kTemplateError);
  request.prompt = TextPrompt{"hi"};
  EXPECT_TRUE(accept_request(request, {*loaded.encoder, 64, 1}).ok());
}

}  // namespace
}  // namespace llama_gpu::engine
