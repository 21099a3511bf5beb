// SPDX-License-Identifier: Apache-2.0
#include "app/plugin_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/temporary_folder_fake.h"

namespace llama_gpu::app {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

std::string after(const std::string& config, const std::vector<std::string>& assignments) {
  const auto changed = with_assignments(Json::parse(config), assignments);
  return changed.ok() ? changed->dump() : changed.error().message;
}

TEST(PluginConfigTest, SetsValuesThatAreJsonAndTexts) {
  EXPECT_EQ(after(R"({"a":1,"b":2})", {"a=5", "c=[true]", "d=plain text", "e=\"5\""}),
            R"({"a":5,"b":2,"c":[true],"d":"plain text","e":"5"})");
  EXPECT_EQ(after("{}", {"a=", "b=x=y"}), R"({"a":"","b":"x=y"})");
  EXPECT_EQ(after("null", {"a=1"}), R"({"a":1})");
}

TEST(PluginConfigTest, GoesIntoObjectsAtDots) {
  EXPECT_EQ(after(R"({"a":{"b":1}})", {"a.b=2", "a.c.d=3"}), R"({"a":{"b":2,"c":{"d":3}}})");
  EXPECT_THAT(after(R"({"a":1})", {"a.b=2"}), HasSubstr("no object"));
}

TEST(PluginConfigTest, RefusesWhatHasNoKey) {
  EXPECT_THAT(after("{}", {"a"}), HasSubstr("no '='"));
  EXPECT_THAT(after("{}", {"=1"}), HasSubstr("empty key"));
  EXPECT_THAT(after("{}", {"a..b=1"}), HasSubstr("empty key"));
}

TEST(PluginConfigTest, ReadsAFileThatHoldsOneObject) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_config_file(folder.write("good", R"({"a":1})"))->dump(), R"({"a":1})");
  EXPECT_EQ(read_config_file(folder.write("list", "[]")).error().code, ErrorCode::kInvalidJson);
  EXPECT_EQ(read_config_file(folder.write("bad", "{")).error().code, ErrorCode::kInvalidJson);
  EXPECT_EQ(read_config_file(folder.path("none")).error().code, ErrorCode::kFileNotFound);
}

}  // namespace
}  // namespace llama_gpu::app
