// SPDX-License-Identifier: Apache-2.0
#include "plugins/plugin_protocol.h"

#include <gmock/gmock.h>

namespace llama_gpu::plugins {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

PluginManifest guard_manifest() {
  PluginManifest manifest;
  manifest.id = "acme/guard";
  manifest.version = {1, 2, 3, {}, {}};
  manifest.capabilities = {Capability::kRequestFilter};
  return manifest;
}

FilterCall chat_call() {
  return {"req-1", "tiny", std::vector<text::ChatMessage>{{"system", "be brief"}, {"user", "hello"}}};
}
FilterCall text_call() { return {"req-2", "tiny", std::string("once upon")}; }

// The Error of a message that must not be read.
Error broken(std::string_view payload) {
  const Result<PluginMessage> message = decode_plugin_message(payload);
  EXPECT_FALSE(message.ok()) << payload;
  return message.ok() ? Error{} : message.error();
}

TEST(PluginProtocol, GreetsAPlugin) {
  const Json message = Json::parse(encode_initialize(1, guard_manifest(), R"({"mask":"x"})", "/data"));
  EXPECT_EQ(message, Json::parse(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{
      "protocol":1,"host":{"api":"1.0.0"},"plugin":{"id":"acme/guard","version":"1.2.3"},
      "config":{"mask":"x"},"data_folder":"/data"}})"));
}

TEST(PluginProtocol, GivesAnEmptyConfigForOneThatIsNoJson) {
  EXPECT_EQ(Json::parse(encode_initialize(1, guard_manifest(), "{", "/d"))["params"]["config"],
            Json::object());
}

TEST(PluginProtocol, AsksAboutConversationsAndText) {
  EXPECT_EQ(Json::parse(encode_filter_request(7, chat_call(), 250)),
            Json::parse(R"({"jsonrpc":"2.0","id":7,"method":"request_filter","params":{"request_id":"req-1",
      "model":"tiny","deadline_ms":250,"messages":[{"role":"system","content":"be brief"},
      {"role":"user","content":"hello"}]}})"));
  EXPECT_EQ(Json::parse(encode_filter_request(8, text_call(), 250))["params"]["prompt"], "once upon");
}

TEST(PluginProtocol, SendsAnyBytesAsText) {
  const FilterCall call{"r", "m", std::string("a\xff") + std::string(1, '\0')};
  EXPECT_EQ(Json::parse(encode_filter_request(1, call, 1))["params"]["prompt"],
            std::string("a\uFFFD") + std::string(1, '\0'));
}

TEST(PluginProtocol, AsksAndTellsTheRest) {
  EXPECT_EQ(encode_self_test(2), R"({"jsonrpc":"2.0","id":2,"method":"self_test","params":{}})");
  EXPECT_EQ(encode_health(3), R"({"jsonrpc":"2.0","id":3,"method":"health","params":{}})");
  EXPECT_EQ(encode_event(R"({"to":"active"})"),
            R"({"jsonrpc":"2.0","method":"event","params":{"to":"active"}})");
  EXPECT_EQ(encode_shutdown(), R"({"jsonrpc":"2.0","method":"shutdown","params":{}})");
}

TEST(PluginProtocol, ReadsAnswers) {
  const auto message = decode_plugin_message(R"({"jsonrpc":"2.0","id":18446744073709551615,"result":[1]})");
  const auto& reply = std::get<PluginReply>(message.value());
  EXPECT_EQ(reply.id, ~uint64_t{0});
  EXPECT_EQ(reply.result.value(), Json::array({1}));
}

TEST(PluginProtocol, ReadsTheErrorsOfAPlugin) {
  const auto error_of = [](std::string_view payload) {
    return std::get<PluginReply>(decode_plugin_message(payload).value()).result.error();
  };
  const Error error = error_of(R"({"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no file"}})");
  EXPECT_EQ(error.code, ErrorCode::kPluginFailed);
  EXPECT_EQ(error.message, "no file");
  EXPECT_EQ(error_of(R"({"jsonrpc":"2.0","id":1,"error":{}})").message, "it says no reason");
  const std::string long_reason(5000, 'x');
  EXPECT_THAT(error_of(R"({"jsonrpc":"2.0","id":1,"error":{"message":")" + long_reason + "\"}}").message,
              SizeIs(1024));
}

TEST(PluginProtocol, ReadsLogLines) {
  const auto message = decode_plugin_message(
      R"({"jsonrpc":"2.0","method":"log","params":{"level":"warning","message":"hot"}})");
  EXPECT_EQ(std::get<PluginLogLine>(message.value()).level, "warning");
  EXPECT_EQ(std::get<PluginLogLine>(message.value()).message, "hot");
  const auto cut =
      decode_plugin_message(R"({"jsonrpc":"2.0","method":"log","params":{"level":"info","message":")" +
                            std::string(20'000, 'x') + "\"}}");
  EXPECT_THAT(std::get<PluginLogLine>(cut.value()).message, SizeIs(16384));
}

TEST(PluginProtocol, RefusesWhatIsNoMessage) {
  const std::pair<const char*, const char*> messages[] = {
      {"", "is not JSON"},
      {"{", "is not JSON"},
      {"\"\xff\"", "is not JSON"},
      {"[]", "is not a JSON object"},
      {"{}", "\"jsonrpc\": \"2.0\""},
      {R"({"jsonrpc":2.0,"id":1,"result":1})", "\"jsonrpc\": \"2.0\""},
      {R"({"jsonrpc":"2.0"})", "neither a method nor the 'id'"},
      {R"({"jsonrpc":"2.0","id":"1","result":1})", "neither a method nor the 'id'"},
      {R"({"jsonrpc":"2.0","id":-1,"result":1})", "neither a method nor the 'id'"},
      {R"({"jsonrpc":"2.0","id":1.5,"result":1})", "neither a method nor the 'id'"},
      {R"({"jsonrpc":"2.0","id":1})", "either 'result' or 'error'"},
      {R"({"jsonrpc":"2.0","id":1,"result":1,"error":{}})", "either 'result' or 'error'"},
      {R"({"jsonrpc":"2.0","id":1,"error":"no"})", "'error' must be an object"},
      {R"({"jsonrpc":"2.0","method":7})", "'method' must be a string"},
      {R"({"jsonrpc":"2.0","method":"steal\n"})", R"(unknown method 'steal\n')"},
      {R"({"jsonrpc":"2.0","id":1,"method":"log"})", "only notifications and answers"},
      {R"({"jsonrpc":"2.0","method":"log"})", "no object 'params'"},
      {R"({"jsonrpc":"2.0","method":"log","params":[]})", "no object 'params'"},
      {R"({"jsonrpc":"2.0","method":"log","params":{"level":"loud","message":"x"}})", "'level' must be"},
      {R"({"jsonrpc":"2.0","method":"log","params":{"message":"x"}})", "'level' must be"},
      {R"({"jsonrpc":"2.0","method":"log","params":{"level":"info"}})", "'message' must be a string"},
  };
  for (const auto& [payload, expected] : messages) {
    const Error error = broken(payload);
    EXPECT_EQ(error.code, ErrorCode::kProtocolError) << payload;
    EXPECT_THAT(error.message, HasSubstr(expected)) << payload;
  }
}

TEST(PluginProtocol, RefusesMessagesThatAreNestedTooDeeply) {
  const auto nested = [](size_t depth) {
    return R"({"jsonrpc":"2.0","id":1,"result":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(decode_plugin_message(nested(60)).ok());
  EXPECT_THAT(broken(nested(70)).message, HasSubstr("more than 64 levels"));
  EXPECT_THAT(broken(nested(1'000'000)).message, HasSubstr("more than 64 levels"));
  EXPECT_THAT(broken(std::string(1'000'000, '[')).message, HasSubstr("more than 64 levels"));
}

TEST(PluginProtocol, ChecksWhatAPluginOffers) {
  const auto check = [](const char* result) {
    return check_initialized(Json::parse(result), guard_manifest());
  };
  EXPECT_TRUE(check(R"({"protocol":1,"capabilities":["event_listener","request_filter"]})").ok());

  EXPECT_EQ(check(R"({"protocol":2,"capabilities":["request_filter"]})").error().code,
            ErrorCode::kPluginIncompatible);
  EXPECT_THAT(check(R"({"protocol":2,"capabilities":[]})").error().message,
              HasSubstr("version 2 of the protocol"));
  const std::pair<const char*, const char*> broken_results[] = {
      {"7", "'result' must be an object"},
      {"{}", "'protocol' must be an integer"},
      {R"({"protocol":"1"})", "'protocol' must be an integer"},
      {R"({"protocol":1})", "'capabilities' must be an array"},
      {R"({"protocol":1,"capabilities":{}})", "'capabilities' must be an array"},
      {R"({"protocol":1,"capabilities":[1]})", "'capabilities' must be an array"},
      {R"({"protocol":1,"capabilities":[]})", "'request_filter' is missing"},
  };
  for (const auto& [result, expected] : broken_results) {
    EXPECT_EQ(check(result).error().code, ErrorCode::kProtocolError) << result;
    EXPECT_THAT(check(result).error().message, HasSubstr(expected)) << result;
  }
}

TEST(PluginProtocol, ReadsSelfTests) {
  EXPECT_TRUE(check_self_test(Json::parse(R"({"ok":true})")).ok());
  const Error failed = check_self_test(Json::parse(R"({"ok":false,"reason":"no key"})")).error();
  EXPECT_EQ(failed.code, ErrorCode::kPluginFailed);
  EXPECT_THAT(failed.message, HasSubstr("no key"));
  for (const char* result : {"1", "{}", R"({"ok":"yes"})"})
    EXPECT_EQ(check_self_test(Json::parse(result)).error().code, ErrorCode::kProtocolError) << result;
}

TEST(PluginProtocol, ReadsHealth) {
  EXPECT_TRUE(check_health(Json::parse(R"({"status":"ok"})")).ok());
  EXPECT_EQ(check_health(Json::parse(R"({"status":"failing"})")).error().code, ErrorCode::kPluginFailed);
  EXPECT_THAT(check_health(Json::parse(R"({"status":"failing","reason":"full"})")).error().message,
              HasSubstr("full"));
  for (const char* result : {"1", "{}", R"({"status":1})", R"({"status":"fine"})"})
    EXPECT_EQ(check_health(Json::parse(result)).error().code, ErrorCode::kProtocolError) << result;
}

TEST(PluginProtocol, ReadsVerdicts) {
  const auto read = [](const char* result, const FilterCall& call) {
    return read_filter_verdict(Json::parse(result), call).value();
  };
  const FilterVerdict pass = read(R"({"action":"pass","messages":[]})", chat_call());
  EXPECT_FALSE(pass.replacement || pass.rejection);
  EXPECT_EQ(read(R"({"action":"reject","reason":"rude"})", chat_call()).rejection, "rude");
  EXPECT_EQ(read(R"({"action":"reject"})", chat_call()).rejection, "the plugin says no reason");
  EXPECT_EQ(std::get<std::string>(*read(R"({"action":"replace","prompt":"x"})", text_call()).replacement),
            "x");
  const FilterVerdict chat =
      read(R"({"action":"replace","messages":[{"role":"user","content":"y","more":1}]})", chat_call());
  EXPECT_THAT(std::get<0>(*chat.replacement), testing::ElementsAre(text::ChatMessage{"user", "y"}));
}

TEST(PluginProtocol, RefusesVerdictsThatNobodyCanFollow) {
  const std::pair<const char*, const char*> of_chats[] = {
      {"null", "'action' must be a string"},
      {R"({"action":1})", "'action' must be a string"},
      {R"({"action":"explode"})", "'action' must be \"pass\""},
      {R"({"action":"replace"})", "'messages' must be an array"},
      {R"({"action":"replace","prompt":"x"})", "'messages' must be an array"},
      {R"({"action":"replace","messages":[]})", "at least one message"},
      {R"({"action":"replace","messages":[1]})", "'role' and 'content'"},
      {R"({"action":"replace","messages":[{"role":"user"}]})", "'role' and 'content'"},
      {R"({"action":"replace","messages":[{"role":1,"content":"x"}]})", "'role' and 'content'"},
  };
  for (const auto& [result, expected] : of_chats) {
    const auto verdict = read_filter_verdict(Json::parse(result), chat_call());
    ASSERT_FALSE(verdict.ok()) << result;
    EXPECT_EQ(verdict.error().code, ErrorCode::kProtocolError) << result;
    EXPECT_THAT(verdict.error().message, HasSubstr(expected)) << result;
  }
  const auto verdict = read_filter_verdict(
      Json::parse(R"({"action":"replace","messages":[{"role":"user","content":"y"}]})"), text_call());
  EXPECT_THAT(verdict.error().message, HasSubstr("'prompt' must be a string"));
}

}  // namespace
}  // namespace llama_gpu::plugins
