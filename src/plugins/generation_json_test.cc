// SPDX-License-Identifier: Apache-2.0
#include "plugins/generation_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace llama_gpu::plugins {
namespace {

using testing::HasSubstr;

const std::string kDigest(64, 'a');

Generation two_plugins() {
  InstalledPlugin guard{.id = "acme/guard",
                        .version = "1.0.0",
                        .digest = kDigest,
                        .is_enabled = true,
                        .config = R"({"mask": "\u00e4", "n": [1, 2.5]})",
                        .permissions = {.read_paths = {"/etc"}, .write_paths = {"/a", "/b"}, .network = true},
                        .is_pinned = true};
  InstalledPlugin words{.id = "acme/words", .version = "2.0.0-rc.1", .digest = std::string(64, '0')};
  return {.number = 7,
          .created_unix_seconds = 1'800'000'000,
          .reason = "install acme/guard \"1.0.0\"\n",
          .parent = 6,
          .plugins = {guard, words}};
}

// The lock file with `from` replaced by `to`.
std::string changed_lock_file(const std::string& from, const std::string& to) {
  std::string json = encode_generation(two_plugins());
  const size_t found = json.find(from);
  EXPECT_NE(found, std::string::npos) << from;
  return json.replace(found, from.size(), to);
}

TEST(GenerationJson, IsReadAsItWasWritten) {
  const Result<Generation> read = decode_generation(encode_generation(two_plugins()), "7.json");

  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, two_plugins());
}

TEST(GenerationJson, IgnoresKeysThatItDoesNotKnow) {
  EXPECT_TRUE(decode_generation(changed_lock_file("\"number\"", "\"later\": [], \"number\""), "7.json").ok());
}

TEST(GenerationJson, RefusesAnythingElseAndNamesTheFileAndField) {
  const std::pair<std::string, const char*> examples[] = {
      {"", "is not JSON"},
      {"{", "is not JSON"},
      {"[]", "not a JSON object"},
      {"{}", "'format' must be there"},
      {std::string(1000, '['), "is"},
      {changed_lock_file("\"format\": 1", "\"format\": 2"), "format 2, expected 1"},
      {changed_lock_file("\"format\": 1", "\"format\": \"1\""), "'format' must be an integer"},
      {changed_lock_file("\"generation\"", "\"generatoin\""), "'generation' must be there"},
      {changed_lock_file("\"number\": 7", "\"number\": -7"), "'number' must be an integer"},
      {changed_lock_file("\"number\": 7", "\"number\": 7.5"), "'number' must be an integer"},
      {changed_lock_file("\"parent\": 6", "\"parent\": null"), "'parent' must be an integer"},
      {changed_lock_file("\"enabled\": true", "\"enabled\": 1"), "'enabled' must be true or false"},
      {changed_lock_file("\"/etc\"", "5"), "'read' must be a string"},
      {changed_lock_file("\"plugins\": [", "\"plugins\": [5,"), "'plugins' must be an object"},
      {changed_lock_file("acme/guard\",", "../guard\","), "'../guard' is not a plugin's id"},
      {changed_lock_file("\"1.0.0\",", "\"1\","), "'1' is not a version"},
      {changed_lock_file("aaaa", "../."), "is not a package's digest"},
      {changed_lock_file("aaaa", "AAAA"), "is not a package's digest"},
      {changed_lock_file("acme/words", "acme/guard"), "'acme/guard' stands twice"},
      {changed_lock_file("acme/words", "acme/a"), "stands twice or out of order"},
      {changed_lock_file("\"config\": \"{}\"", "\"config\": \"[]\""), "'acme/words' is not a JSON object"},
  };
  for (const auto& [json, message] : examples) {
    const Result<Generation> read = decode_generation(json, "7.json");
    ASSERT_FALSE(read.ok()) << json;
    EXPECT_EQ(read.error().code, ErrorCode::kPluginStoreInvalid);
    EXPECT_THAT(read.error().message, HasSubstr("'7.json'"));
    EXPECT_THAT(read.error().message, HasSubstr(message));
  }
}

TEST(GenerationJson, RefusesPluginsThatCouldNotBeReadAgain) {
  Generation generation = two_plugins();
  generation.plugins[0].permissions.write_paths = {"/\xff"};

  EXPECT_THAT(check_installed_plugins(generation.plugins).error().message, HasSubstr("is not UTF-8"));

  generation = two_plugins();
  generation.plugins[0].config = "{\"a\": \"\xff\"}";
  EXPECT_EQ(check_installed_plugins(generation.plugins).error().code, ErrorCode::kInvalidValue);
}

TEST(QuarantineJson, IsReadAsItWasWritten) {
  const std::vector<QuarantinedPackage> packages = {
      {.digest = kDigest, .id = "a/b", .version = "1.0.0", .reason = "crashed", .since_unix_seconds = 5}};

  const auto read = decode_quarantine(encode_quarantine(packages), "quarantine.json");

  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, packages);
}

TEST(QuarantineJson, RefusesAnythingElse) {
  const std::vector<QuarantinedPackage> packages = {
      {.digest = "b", .id = "a/b", .version = "1.0.0", .reason = ""}};

  EXPECT_THAT(decode_quarantine(encode_quarantine(packages), "q").error().message,
              HasSubstr("'q': 'b' is not a package's digest"));
  EXPECT_EQ(decode_quarantine("7", "q").error().code, ErrorCode::kPluginStoreInvalid);
}

}  // namespace
}  // namespace llama_gpu::plugins
