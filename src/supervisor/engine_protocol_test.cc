// SPDX-License-Identifier: Apache-2.0
#include "supervisor/engine_protocol.h"

#include <gmock/gmock.h>

#include <limits>
#include <random>
#include <string>

namespace llama_gpu::supervisor {
namespace {

using engine::FinishReason;
using engine::GenerationRequest;
using engine::SequenceUpdate;
using engine::TokenLogprob;
using testing::ElementsAre;
using testing::HasSubstr;

GenerationRequest full_request() {
  GenerationRequest request;
  request.id = std::numeric_limits<uint64_t>::max();
  request.trace_id = "req-1";
  request.tenant_salt = "salt";
  request.prompt =
      engine::ChatPrompt{{{"user", std::string("nul \0 and \"quotes\" \xf0\x9f\x99\x82", 23)}}, false};
  request.sampling = {.temperature = 0.7F,
                      .top_k = 5,
                      .top_p = 0.95F,
                      .min_p = 0.05F,
                      .repetition_penalty = 1.1F,
                      .presence_penalty = -2,
                      .frequency_penalty = 2,
                      .seed = 1ULL << 63,
                      .logit_bias = {{7, -100.0F}}};
  request.max_tokens = 10;
  request.num_choices = 3;
  request.stop = {"\n", "###"};
  request.ignore_eos = true;
  request.top_logprobs = 0;
  request.prompt_logprobs = true;
  request.wants_prompt_text = true;
  request.received_ns = int64_t{1} << 60;
  return request;
}

std::vector<Call> every_call() {
  engine::EngineOptions options;
  options.model_path = "/models/a.gguf";
  options.kv_tokens = 1LL << 40;
  GenerationRequest tokens;
  tokens.prompt = std::vector<TokenId>{1, 2, 3};
  GenerationRequest text;
  text.prompt = engine::TextPrompt{"once", false, true};
  return {{1, HelloCall{.program = "0.1.0"}},
          {2, LoadCall{"m", options}},
          {3, SubmitCall{"m", full_request()}},
          {4, SubmitCall{"m", tokens}},
          {5, SubmitCall{"m", text}},
          {6, TokenizeCall{"m", {"text", true, false}, true}},
          {7, DetokenizeCall{"m", {5, 6}}},
          {8, ApplyTemplateCall{"m", {{{"system", "be brief"}}, true}}},
          {0, CancelNote{"m", 99}},
          {0, StopNote{true}}};
}

std::vector<WorkerMessage> every_worker_message() {
  engine::ModelInfo info;
  info.name = "tiny";
  info.file_size_bytes = 1ULL << 63;
  StatsNote stats;
  stats.stats.running = 3;
  stats.memory_bytes = 1 << 30;
  stats.is_draining = true;
  return {Reply{1, ReplyBody(HelloReply{1, "0.1.0", 4242})},
          Reply{2, ReplyBody(info)},
          Reply{3, ReplyBody(engine::SubmitReceipt{9, {1, 2}, "ab"})},
          Reply{4, ReplyBody(TokensReply{{{1, -1}, {{0xE2, 0}, {}}}})},
          Reply{5, ReplyBody(TextReply{"t\xc3\xa4xt"})},
          Reply{6, Error{ErrorCode::kModelTruncated, "it ends", "get it again", "model", 77}},
          Reply{7, Error{ErrorCode::kContextLengthExceeded, "too long"}},
          stats};
}

SequenceUpdate random_update(std::mt19937& random) {
  const auto text = [&] {
    std::string bytes(random() % 9, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
  };
  const auto logprob = [&] {
    TokenLogprob entry{static_cast<TokenId>(random()), text(), -1.5F, {}, {}};
    for (size_t i = random() % 3; i > 0; --i) {
      entry.top.emplace_back(static_cast<TokenId>(random()), -std::numeric_limits<float>::infinity());
      entry.top_bytes.push_back(text());
    }
    return entry;
  };
  SequenceUpdate update;
  update.id = random();
  update.choice = static_cast<int32_t>(random() % 4);
  update.text = text();
  for (size_t i = random() % 4; i > 0; --i) update.tokens.push_back(static_cast<TokenId>(random()));
  for (size_t i = random() % 3; i > 0; --i) update.logprobs.push_back(logprob());
  for (size_t i = random() % 3; i > 0; --i) update.prompt_logprobs.push_back(logprob());
  if (random() % 2 == 0) update.finish = static_cast<FinishReason>(random() % 4);
  if (random() % 2 == 0) update.queue_microseconds = random();
  if (random() % 4 == 0) update.error = Error{ErrorCode::kNumericError, "not finite", text(), "", random()};
  return update;
}

std::vector<SequenceUpdate> random_step(std::mt19937& random) {
  std::vector<SequenceUpdate> updates;
  for (size_t i = random() % 5; i > 0; --i) updates.push_back(random_update(random));
  return updates;
}

// A message with one part replaced, to be refused with a text that names the part.
struct BadMessage {
  std::string payload;
  std::string names;
};

TEST(EngineProtocol, CarriesEveryCallUnchanged) {
  for (const Call& call : every_call()) {
    const std::string payload = encode_call(call).value();

    const Result<Call> read = parse_call(payload);

    ASSERT_TRUE(read.ok()) << read.error().message << " in " << payload;
    EXPECT_EQ(read.value().id, call.id);
    EXPECT_EQ(read.value().body.index(), call.body.index());
    EXPECT_EQ(encode_call(read.value()).value(), payload);
  }
}

TEST(EngineProtocol, CarriesEveryValueOfARequest) {
  const Call read = parse_call(encode_call({1, SubmitCall{"m", full_request()}}).value()).value();
  const GenerationRequest sent = full_request();
  const GenerationRequest& got = std::get<SubmitCall>(read.body).request;

  EXPECT_EQ(got.id, sent.id);
  EXPECT_EQ(got.tenant_salt, sent.tenant_salt);
  EXPECT_EQ(std::get<engine::ChatPrompt>(got.prompt).messages,
            std::get<engine::ChatPrompt>(sent.prompt).messages);
  EXPECT_FALSE(std::get<engine::ChatPrompt>(got.prompt).add_generation_prompt);
  EXPECT_EQ(got.sampling.temperature, 0.7F);
  EXPECT_EQ(got.sampling.seed, 1ULL << 63);
  EXPECT_THAT(got.sampling.logit_bias, ElementsAre(std::pair<TokenId, float>(7, -100.0F)));
  EXPECT_EQ(got.max_tokens, 10);
  EXPECT_THAT(got.stop, ElementsAre("\n", "###"));
  EXPECT_EQ(got.top_logprobs, 0);
  EXPECT_TRUE(got.wants_prompt_text);
  EXPECT_EQ(got.received_ns, int64_t{1} << 60);
}

TEST(EngineProtocol, CarriesEveryWorkerMessageUnchanged) {
  for (const WorkerMessage& message : every_worker_message()) {
    const std::string payload = encode_worker_message(message).value();

    const Result<WorkerMessage> read = parse_worker_message(payload);

    ASSERT_TRUE(read.ok()) << read.error().message << " in " << payload;
    EXPECT_EQ(encode_worker_message(read.value()).value(), payload);
  }
}

TEST(EngineProtocol, CarriesEveryPartOfAnError) {
  const Error sent{ErrorCode::kModelTruncated, "it ends", "get it again", "model", 77};

  const WorkerMessage read = parse_worker_message(encode_worker_message(Reply{6, sent}).value()).value();

  EXPECT_EQ(std::get<Reply>(read).body.error(), sent);
}

TEST(EngineProtocol, CarriesEveryErrorCodeByName) {
  for (const ErrorCodeInfo& info : kErrorCodes) {
    const std::string payload = encode_worker_message(Reply{1, Error{info.code, "m"}}).value();

    EXPECT_THAT(payload, HasSubstr("\"" + std::string(info.name) + "\""));
    EXPECT_EQ(std::get<Reply>(parse_worker_message(payload).value()).body.error().code, info.code);
  }
}

TEST(EngineProtocol, RefusesToWriteWhatJsonCannotHold) {
  GenerationRequest request = full_request();
  request.prompt = engine::TextPrompt{"\xff", true, true};
  EXPECT_EQ(encode_call({1, SubmitCall{"m", request}}).error().code, ErrorCode::kInvalidValue);

  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    request = full_request();
    request.sampling.temperature = bad;
    EXPECT_EQ(encode_call({1, SubmitCall{"m", request}}).error().code, ErrorCode::kInvalidValue);
    request = full_request();
    request.sampling.logit_bias[0].second = bad;
    EXPECT_EQ(encode_call({1, SubmitCall{"m", request}}).error().code, ErrorCode::kInvalidValue);
  }
}

TEST(EngineProtocol, RefusesBadCallsNamingTheField) {
  const std::string nested = std::string(10'000, '[') + std::string(10'000, ']');
  const auto call = [](const std::string& method, const std::string& params) {
    return R"({"jsonrpc":"2.0","method":")" + method + R"(","id":1,"params":)" + params + "}";
  };
  const std::vector<BadMessage> bad = {
      {"", "object"},
      {"[]", "object"},
      {"{", "object"},
      {nested, "deep"},
      {R"({"method":"stop","params":{}})", "jsonrpc"},
      {R"({"jsonrpc":"2.0","params":{}})", "method"},
      {R"({"jsonrpc":"2.0","method":"stop"})", "params"},
      {R"({"jsonrpc":"2.0","method":"tokenize","params":{"model":"m","prompt":{"text":"","add_special":true,"parse_special":true},"with_pieces":false}})",
       "id"},
      {call("explode", "{}"), "method"},
      {call("stop", "{}"), "drain"},
      {call("stop", R"({"drain":1})"), "drain"},
      {call("stop", "[]"), "stop"},
      {call("cancel", R"({"model":"m","request":-1})"), "request"},
      {call("cancel", R"({"model":"m","request":1.5})"), "request"},
      {call("cancel", R"({"model":7,"request":1})"), "model"},
      {call("hello", R"({"protocol":4294967296,"program":"x"})"), "protocol"},
      {call("detokenize", R"({"model":"m","tokens":7})"), "tokens"},
      {call("detokenize", R"({"model":"m","tokens":["7"]})"), "tokens"},
  };

  for (const BadMessage& message : bad) {
    const Result<Call> refused = parse_call(message.payload);
    ASSERT_FALSE(refused.ok()) << message.payload.substr(0, 200);
    EXPECT_EQ(refused.error().code, ErrorCode::kProtocolError);
    EXPECT_THAT(refused.error().message, HasSubstr(message.names)) << message.payload.substr(0, 200);
  }
}

TEST(EngineProtocol, RefusesASubmitWithOneBadPart) {
  const std::string good = encode_call({1, SubmitCall{"m", full_request()}}).value();
  const std::vector<std::pair<std::string, std::string>> swaps = {
      {R"("chat":)", R"("song":)"},
      {R"("prompt":{)", R"("prompt":{"text":1,)"},
      {R"("temperature":)", R"("temperature":null,"t":)"},
      {R"("temperature":)", R"("temperature":1e300,"t":)"},
      {R"([7,-100.0])", R"([7])"},
      {R"([7,-100.0])", R"([7,"x"])"},
      {R"("seed":)", R"("seed":"1","s":)"},
      {R"("num_choices":3)", R"("num_choices":3000000000)"},
  };

  for (const auto& [part, replacement] : swaps) {
    std::string payload = good;
    const size_t at = payload.find(part);
    ASSERT_NE(at, std::string::npos) << part;
    payload.replace(at, part.size(), replacement);
    EXPECT_EQ(parse_call(payload).error().code, ErrorCode::kProtocolError) << replacement;
  }
}

TEST(EngineProtocol, RefusesBadWorkerMessagesNamingTheField) {
  const std::vector<BadMessage> bad = {
      {"null", "object"},
      {R"({"jsonrpc":"1.0","id":1,"result":{}})", "jsonrpc"},
      {R"({"jsonrpc":"2.0","result":{}})", "id"},
      {R"({"jsonrpc":"2.0","id":1})", "result"},
      {R"({"jsonrpc":"2.0","id":1,"result":{}})", "result"},
      {R"({"jsonrpc":"2.0","id":1,"result":{"song":{}}})", "result"},
      {R"({"jsonrpc":"2.0","id":1,"result":{"text":{"text":"a"},"tokens":{"tokens":[]}}})", "result"},
      {R"({"jsonrpc":"2.0","id":1,"error":"x"})", "error"},
      {R"({"jsonrpc":"2.0","id":1,"error":{}})", "data"},
      {R"({"jsonrpc":"2.0","id":1,"error":{"data":{"code":"explosion","message":"","hint":"","param":""}}})",
       "code"},
      {R"({"jsonrpc":"2.0","id":1,"error":{"data":{"code":3,"message":"","hint":"","param":""}}})", "code"},
      {R"({"jsonrpc":"2.0","method":"news","params":{}})", "stats"},
      {R"({"jsonrpc":"2.0","method":"stats","params":{}})", "stats"},
  };

  for (const BadMessage& message : bad) {
    const Result<WorkerMessage> refused = parse_worker_message(message.payload);
    ASSERT_FALSE(refused.ok()) << message.payload;
    EXPECT_EQ(refused.error().code, ErrorCode::kProtocolError);
    EXPECT_THAT(refused.error().message, HasSubstr(message.names)) << message.payload;
  }
}

TEST(EngineProtocol, CarriesEveryStepUnchanged) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    const std::string payload = encode_step(random_step(random));

    const Result<std::vector<SequenceUpdate>> read = parse_step(payload);

    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(encode_step(read.value()), payload);
  }
}

TEST(EngineProtocol, CarriesEveryPartOfAnUpdate) {
  const TokenLogprob logprob{5, "\xe2\x82", -std::numeric_limits<float>::infinity(), {{5, -0.1F}}, {"\xe2"}};
  SequenceUpdate sent;
  sent.id = 1;
  sent.text = "hi";
  sent.tokens = {3, 4};
  sent.logprobs = {logprob};
  sent.prompt_logprobs = {logprob, logprob};
  sent.finish = FinishReason::kError;
  sent.error = Error{ErrorCode::kNumericError, "nan"};
  sent.queue_microseconds = 1'500;
  sent.num_cached_prompt_tokens = 16;

  const std::vector<SequenceUpdate> read = parse_step(encode_step(std::span(&sent, 1))).value();

  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].text, "hi");
  EXPECT_THAT(read[0].tokens, ElementsAre(3, 4));
  EXPECT_EQ(read[0].logprobs[0].bytes, "\xe2\x82");
  EXPECT_EQ(read[0].logprobs[0].logprob, -std::numeric_limits<float>::infinity());
  EXPECT_EQ(read[0].prompt_logprobs.size(), 2U);
  EXPECT_EQ(read[0].finish, FinishReason::kError);
  EXPECT_EQ(read[0].error, sent.error);
  EXPECT_EQ(read[0].num_cached_prompt_tokens, 16);
}

TEST(EngineProtocol, RefusesAStepCutAtEveryByteAndOneByteTooLong) {
  std::mt19937 random(3);
  const std::vector<SequenceUpdate> updates = {random_update(random), random_update(random),
                                               random_update(random)};
  const std::string payload = encode_step(updates);

  for (size_t size = 0; size < payload.size(); ++size) {
    const auto refused = parse_step(std::string_view(payload).substr(0, size));
    ASSERT_FALSE(refused.ok()) << size;
    EXPECT_EQ(refused.error().code, ErrorCode::kProtocolError);
    EXPECT_TRUE(refused.error().byte_offset.has_value());
  }
  EXPECT_EQ(parse_step(payload + "x").error().code, ErrorCode::kProtocolError);
}

TEST(EngineProtocol, RefusesAStepWithHostileCountsAndValues) {
  SequenceUpdate update;
  update.text = "abcd";
  update.finish = FinishReason::kStop;
  const std::string good = encode_step(std::span(&update, 1));
  // count, then id and choice, then the text's length; behind the enum stand two absent values and a number.
  for (const size_t at : {size_t{0}, size_t{16}}) {
    for (const uint32_t hostile : {0x7fffffffU, 0xffffffffU}) {
      std::string bad = good;
      bad.replace(at, sizeof(hostile), reinterpret_cast<const char*>(&hostile), sizeof(hostile));
      EXPECT_EQ(parse_step(bad).error().code, ErrorCode::kProtocolError) << at;
    }
  }
  const size_t has_finish = good.size() - sizeof(int32_t) - 2 - 2;
  std::string bad_enum = good, bad_bool = good;
  bad_enum[has_finish + 1] = 4;
  bad_bool[has_finish] = 2;
  EXPECT_THAT(parse_step(bad_enum).error().message, HasSubstr("finish"));
  EXPECT_THAT(parse_step(bad_bool).error().message, HasSubstr("finish"));
}

TEST(EngineProtocol, NeverBreaksOnAMessageWithAFewBytesChanged) {
  std::mt19937 random(11);
  std::vector<std::string> seeds;
  for (const Call& call : every_call()) seeds.push_back(encode_call(call).value());
  for (const WorkerMessage& message : every_worker_message())
    seeds.push_back(encode_worker_message(message).value());
  for (int i = 0; i < 10; ++i) seeds.push_back(encode_step(random_step(random)));

  for (int round = 0; round < 20'000; ++round) {
    std::string payload = seeds[random() % seeds.size()];
    for (size_t i = 1 + random() % 3; i > 0; --i)
      payload[random() % payload.size()] = static_cast<char>(random());

    // Whatever is still understood can be said again in the same words.
    if (const auto call = parse_call(payload); call.ok()) {
      EXPECT_TRUE(encode_call(call.value()).ok());
    }
    if (const auto message = parse_worker_message(payload); message.ok()) {
      EXPECT_TRUE(encode_worker_message(message.value()).ok());
    }
    if (const auto step = parse_step(payload); step.ok()) {
      EXPECT_EQ(encode_step(step.value()), payload);
    }
  }
}

}  // namespace
}  // namespace llama_gpu::supervisor
