// SPDX-License-Identifier: Apache-2.0
#include "server/parse_plugin_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace llama_gpu::server {
namespace {

using Kind = plugins::PluginChange::Kind;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParsePluginChangeTest, ReadsEveryAction) {
  for (const auto& [body, kind] : {
           std::pair(R"({"action":"install","source":"/p"})", Kind::kInstall),
           std::pair(R"({"action":"enable","plugin":"a/b"})", Kind::kEnable),
           std::pair(R"({"action":"disable","plugin":"a/b"})", Kind::kDisable),
           std::pair(R"({"action":"reload","plugin":"a/b"})", Kind::kReload),
           std::pair(R"({"action":"configure","plugin":"a/b","config":{}})", Kind::kConfigure),
           std::pair(R"({"action":"remove","plugin":"a/b"})", Kind::kRemove),
           std::pair(R"({"action":"rollback"})", Kind::kRollback),
           std::pair(R"({"action":"release","plugin":"a/b"})", Kind::kRelease),
       }) {
    const auto call = parse_plugin_change(body);
    ASSERT_TRUE(call.ok()) << body << call.error().message;
    EXPECT_EQ(call->change.kind, kind) << body;
    EXPECT_FALSE(call->is_dry_run);
    EXPECT_FALSE(call->change.allows_unsigned);
  }
}

TEST(ParsePluginChangeTest, ReadsWhatComesWithAnAction) {
  const auto install = parse_plugin_change(
      R"({"action":"install","source":"/p/q","allow_unsigned":true,"dry_run":true,"config":null,"more":1})");
  ASSERT_TRUE(install.ok());
  EXPECT_EQ(install->change.source, "/p/q");
  EXPECT_TRUE(install->change.allows_unsigned);
  EXPECT_TRUE(install->is_dry_run);
  EXPECT_THAT(install->ignored_fields, ElementsAre("more"));

  EXPECT_EQ(
      parse_plugin_change(R"({"action":"configure","plugin":"a/b","config":{"b":[1],"a":2}})")->change.config,
      R"({"b":[1],"a":2})");
  EXPECT_EQ(parse_plugin_change(R"({"action":"rollback","generation":7})")->change.generation, 7U);
  EXPECT_EQ(parse_plugin_change(R"({"action":"rollback"})")->change.generation, std::nullopt);
}

TEST(ParsePluginChangeTest, RefusesWhatIsMissingOrWrongNamingTheField) {
  for (const auto& [body, param] : {
           std::pair("{}", "action"),
           std::pair(R"({"action":1})", "action"),
           std::pair(R"({"action":"explode"})", "action"),
           std::pair(R"({"action":"install"})", "source"),
           std::pair(R"({"action":"install","source":"here"})", "source"),
           std::pair(R"({"action":"install","source":""})", "source"),
           std::pair(R"({"action":"install","source":"/p","plugin":"a/b"})", "plugin"),
           std::pair(R"({"action":"enable"})", "plugin"),
           std::pair(R"({"action":"enable","plugin":"a/b","generation":1})", "generation"),
           std::pair(R"({"action":"configure","plugin":"a/b"})", "config"),
           std::pair(R"({"action":"configure","plugin":"a/b","config":[]})", "config"),
           std::pair(R"({"action":"rollback","generation":-1})", "generation"),
           std::pair(R"({"action":"rollback","generation":1.5})", "generation"),
           std::pair(R"({"action":"remove","plugin":"a/b","dry_run":1})", "dry_run"),
       }) {
    const auto call = parse_plugin_change(body);
    ASSERT_FALSE(call.ok()) << body;
    EXPECT_EQ(call.error().param, param) << body;
  }
  EXPECT_EQ(parse_plugin_change("nope").error().code, ErrorCode::kInvalidJson);
  EXPECT_THAT(parse_plugin_change(R"({"action":"explode"})").error().message,
              HasSubstr("one of install, enable"));
}

TEST(ParseEventPositionTest, PrefersTheLastEventToTheQuery) {
  EXPECT_EQ(*parse_event_position(std::nullopt, ""), 0U);
  EXPECT_EQ(*parse_event_position(std::nullopt, "x=1&after=12"), 12U);
  EXPECT_EQ(*parse_event_position("7", "after=12"), 7U);
}

TEST(ParseEventPositionTest, RefusesWhatIsNoSequence) {
  EXPECT_EQ(parse_event_position(std::nullopt, "after=-1").error().param, "after");
  EXPECT_EQ(parse_event_position(std::nullopt, "after").error().param, "after");
  EXPECT_EQ(parse_event_position("x", "").error().param, "Last-Event-ID");
}

}  // namespace
}  // namespace llama_gpu::server
