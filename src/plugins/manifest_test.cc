// SPDX-License-Identifier: Apache-2.0
#include "plugins/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace llama_gpu::plugins {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::string_view kFullManifest = R"([plugin]
id = "llama-gpu/prompt-guard"
version = "1.0.0"
summary = "Masks e-mail addresses and card numbers in prompts"
license = "Apache-2.0"
command = ["python3", "guard.py"]
capabilities = ["request_filter", "event_listener"]
failure_policy = "closed"
order = 50
required = true
[host_api]
min = "1.0.0"
max = "1.999.0"
tested_with = ["0.1.0", "0.2.0-rc.1"]
[dependencies]
"acme/words" = "^1.2"
[conflicts]
"acme/old-guard" = "*"
[permissions]
read = ["/etc/ssl/certs"]
write = ["/var/tmp/guard"]
network = true
[limits]
memory = "256MiB"
file_size = 1048576
open_files = 32
processes = 4
start_timeout_ms = 3000
call_timeout_ms = 2000
concurrent_calls = 8
[config]
mask = "[masked]"
since = 2026-11-23
rates = [1, 2.5, true]
[config.words]
a = "b"
[config_schema]
type = "object"
)";

// The shortest manifest, with `change` in the place of one of its lines, or behind them.
std::string manifest_with(std::string_view key, std::string_view change) {
  std::string text;
  bool is_placed = false;
  for (const std::string_view line :
       {"[plugin]", "id = \"acme/guard\"", "version = \"1.2.3\"", "command = [\"bin/guard\"]",
        "capabilities = [\"request_filter\"]", "[host_api]", "min = \"1.0.0\"", "max = \"1.9.0\""}) {
    const bool is_it = !key.empty() && line.starts_with(key);
    text += std::string(is_it ? change : line) + "\n";
    is_placed |= is_it;
  }
  return is_placed ? text : text + std::string(change) + "\n";
}

Error error_of(std::string_view toml) {
  const Result<PluginManifest> parsed = parse_manifest(toml, "plugin.toml");
  EXPECT_FALSE(parsed.ok()) << toml;
  if (parsed.ok()) return {};
  EXPECT_EQ(parsed.error().code, ErrorCode::kPluginInvalid) << parsed.error().message;
  EXPECT_THAT(parsed.error().message, StartsWith("plugin.toml:"));
  return parsed.error();
}

TEST(Manifest, ReadsEveryKey) {
  const Result<PluginManifest> parsed = parse_manifest(kFullManifest, "plugin.toml");

  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->id, "llama-gpu/prompt-guard");
  EXPECT_EQ(to_string(parsed->version), "1.0.0");
  EXPECT_EQ(parsed->summary, "Masks e-mail addresses and card numbers in prompts");
  EXPECT_EQ(parsed->license, "Apache-2.0");
  EXPECT_THAT(parsed->command, ElementsAre("python3", "guard.py"));
  EXPECT_THAT(parsed->capabilities, ElementsAre(Capability::kRequestFilter, Capability::kEventListener));
  EXPECT_EQ(parsed->failure_policy, FailurePolicy::kClosed);
  EXPECT_EQ(parsed->order, 50);
  EXPECT_TRUE(parsed->required);
  EXPECT_EQ(to_string(parsed->host_api_min), "1.0.0");
  EXPECT_EQ(to_string(parsed->host_api_max), "1.999.0");
  EXPECT_THAT(parsed->tested_with, ElementsAre("0.1.0", "0.2.0-rc.1"));
  ASSERT_EQ(parsed->dependencies.size(), 1u);
  EXPECT_EQ(parsed->dependencies[0].id, "acme/words");
  EXPECT_EQ(parsed->dependencies[0].range.text(), "^1.2");
  ASSERT_EQ(parsed->conflicts.size(), 1u);
  EXPECT_EQ(parsed->conflicts[0].id, "acme/old-guard");
  EXPECT_THAT(parsed->permissions.read_paths, ElementsAre("/etc/ssl/certs"));
  EXPECT_THAT(parsed->permissions.write_paths, ElementsAre("/var/tmp/guard"));
  EXPECT_TRUE(parsed->permissions.network);
  EXPECT_EQ(parsed->limits.memory_bytes, 256 << 20);
  EXPECT_EQ(parsed->limits.file_size_bytes, 1 << 20);
  EXPECT_EQ(parsed->limits.open_files, 32);
  EXPECT_EQ(parsed->limits.processes, 4);
  EXPECT_EQ(parsed->limits.start_timeout, std::chrono::seconds(3));
  EXPECT_EQ(parsed->limits.call_timeout, std::chrono::seconds(2));
  EXPECT_EQ(parsed->limits.concurrent_calls, 8);
  EXPECT_EQ(parsed->default_config,
            R"({"mask":"[masked]","rates":[1,2.5,true],"since":"2026-11-23","words":{"a":"b"}})");
  EXPECT_EQ(parsed->config_schema, R"({"type":"object"})");
}

TEST(Manifest, LeavesDefaultsWhereItSaysNothing) {
  const Result<PluginManifest> parsed = parse_manifest(manifest_with("", ""), "plugin.toml");

  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->permissions, PluginPermissions{});
  EXPECT_EQ(parsed->limits, PluginLimits{});
  EXPECT_EQ(parsed->failure_policy, FailurePolicy::kOpen);
  EXPECT_EQ(parsed->order, 100);
  EXPECT_FALSE(parsed->required);
  EXPECT_EQ(parsed->default_config, "{}");
  EXPECT_EQ(parsed->config_schema, "{}");
  EXPECT_THAT(parsed->config_schema_file, IsEmpty());
  EXPECT_THAT(parsed->dependencies, IsEmpty());
}

TEST(Manifest, TakesTheSchemaFromAFile) {
  const auto parsed =
      parse_manifest(manifest_with("[host_api]", "config_schema_file = \"a/config.json\"\n[host_api]"), "p");

  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->config_schema_file, "a/config.json");
}

TEST(Manifest, NamesLineAndColumnValueAndWhatIsExpected) {
  const Error error = error_of(manifest_with("version", "version = \"1.2\""));

  EXPECT_THAT(error.message, StartsWith("plugin.toml:3:11: 'plugin.version' is '1.2', expected a version"));
  EXPECT_EQ(error.param, "plugin.version");
}

TEST(Manifest, SuggestsTheNearestKey) {
  EXPECT_EQ(error_of(manifest_with("", "[permissions]\nnetwrok = false")).message,
            "plugin.toml:10:1: 'permissions.netwrok' is not known; did you mean 'network'?");
  EXPECT_EQ(error_of(manifest_with("", "[permission]")).message,
            "plugin.toml:9:2: 'permission' is not known; did you mean 'permissions'?");
  EXPECT_THAT(error_of(manifest_with("capabilities", "capabilities = [\"request_filtre\"]")).message,
              HasSubstr("did you mean 'request_filter'?"));
  EXPECT_EQ(error_of(manifest_with("", "[zzzzzz]")).message, "plugin.toml:9:2: 'zzzzzz' is not known");
}

TEST(Manifest, SaysWhichRequiredKeyIsMissing) {
  EXPECT_EQ(error_of("").message, "plugin.toml:1:1: there is no [plugin], which is required");
  EXPECT_EQ(error_of("[plugin]\nid = \"a/b\"\nversion = \"1.0.0\"\ncommand = [\"a\"]\n"
                     "capabilities = [\"event_listener\"]")
                .message,
            "plugin.toml:1:1: there is no [host_api], which is required");
  for (const char* key : {"id", "version", "command", "capabilities", "min", "max"}) {
    EXPECT_THAT(error_of(manifest_with(key, "")).message,
                HasSubstr("] has no '" + std::string(key) + "', which is required"));
  }
}

TEST(Manifest, SaysWhereTheTomlIsBroken) {
  EXPECT_THAT(error_of("[plugin]\nid = ").message, StartsWith("plugin.toml:2:"));
  EXPECT_THAT(error_of("a = 1\na = 2").message, StartsWith("plugin.toml:2:"));
  EXPECT_THAT(error_of("[plugin]\nsummary = \"\xff\"").message, StartsWith("plugin.toml:2:"));
  EXPECT_THAT(error_of("a = " + std::string(1000, '[')).message, HasSubstr("nested"));
}

TEST(Manifest, EscapesTheNameOfTheFile) {
  EXPECT_THAT(parse_manifest("", "a\nb").error().message, StartsWith("a\\nb:1:1: "));
}

// A line of the manifest that is refused, and what the error says.
struct BadManifest {
  const char* key;
  std::string line;
  const char* message;
};

class BadManifests : public testing::TestWithParam<BadManifest> {};

TEST_P(BadManifests, AreRefusedWithTheReason) {
  const BadManifest& bad = GetParam();

  EXPECT_THAT(error_of(manifest_with(bad.key, bad.line)).message, HasSubstr(bad.message)) << bad.line;
}

INSTANTIATE_TEST_SUITE_P(
    Identity, BadManifests,
    testing::Values(
        BadManifest{"id", "id = \"guard\"", "'plugin.id' is 'guard', expected \"publisher/name\""},
        BadManifest{"id", "id = \"../guard\"", "'plugin.id' is '../guard'"},
        BadManifest{"id", "id = \"a/b/c\"", "'plugin.id'"},
        BadManifest{"id", "id = \"Acme/guard\"", "'plugin.id'"},
        BadManifest{"id", "id = \"acme/\"", "'plugin.id'"}, BadManifest{"id", "id = \"-a/b\"", "'plugin.id'"},
        BadManifest{"id", "id = \"a/b\\u0000\"", "'plugin.id'"},
        BadManifest{"id", "id = \"a/" + std::string(40, 'b') + "\"", "'plugin.id'"},
        BadManifest{"id", "id = 7", "'plugin.id' is 7, expected"},
        BadManifest{"version", "version = 1.0", "'plugin.version' is a decimal number, expected a version"},
        BadManifest{"version", "version = 2026-01-01", "is a date or time"},
        BadManifest{"[host_api]", "summary = \"a\\nb\"\n[host_api]",
                    "'plugin.summary' is 'a\\nb', expected one line"},
        BadManifest{"[host_api]", "summary = \"\\u202e\"\n[host_api]", "expected one line"},
        BadManifest{"[host_api]", "summary = \"" + std::string(201, 'a') + "\"\n[host_api]", "200 bytes"},
        BadManifest{"[host_api]", "license = true\n[host_api]", "'plugin.license' is true"},
        BadManifest{"[host_api]", "failure_policy = \"ajar\"\n[host_api]", "expected \"open\" or \"closed\""},
        BadManifest{"[host_api]", "failure_policy = 1\n[host_api]", "expected \"open\" or \"closed\""},
        BadManifest{"[host_api]", "order = -1\n[host_api]",
                    "'plugin.order' is -1, expected a number from 0 to 10000"},
        BadManifest{"[host_api]", "order = \"5\"\n[host_api]", "'plugin.order' is '5'"},
        BadManifest{"[host_api]", "required = \"yes\"\n[host_api]", "expected true or false"},
        BadManifest{"[host_api]", "config_schema_file = \"../a\"\n[host_api]",
                    "the path of a file in the package"},
        BadManifest{"[host_api]", "config_schema_file = 1\n[host_api]", "one line of text"}));

INSTANTIATE_TEST_SUITE_P(
    Command, BadManifests,
    testing::Values(
        BadManifest{"command", "command = []", "'plugin.command' is a list, expected a program"},
        BadManifest{"command", "command = \"guard\"", "expected a list of at most 64 values"},
        BadManifest{"command", "command = [1]", "'plugin.command' is 1, expected one line of text"},
        BadManifest{"command", "command = [\"/bin/sh\"]", "expected a program of the package"},
        BadManifest{"command", "command = [\"../sh\"]", "expected a program of the package"},
        BadManifest{"command", "command = [\"./sh\"]", "expected a program of the package"},
        BadManifest{"command", "command = [\"a//b\"]", "expected a program of the package"},
        BadManifest{"command", "command = [\"\"]", "expected a program of the package"},
        BadManifest{"command", "command = [\"a\", \"b\\u0000c\"]", "one line of text"},
        BadManifest{"capabilities", "capabilities = []",
                    "expected at least one of request_filter, event_listener"},
        BadManifest{"capabilities", "capabilities = [3]", "expected one of request_filter, event_listener"},
        BadManifest{"capabilities", "capabilities = [\"event_listener\", \"event_listener\"]",
                    "expected each capability once"}));

INSTANTIATE_TEST_SUITE_P(
    Sections, BadManifests,
    testing::Values(
        BadManifest{"", "[limits]\nmemory = \"lots\"", "'limits.memory' is 'lots', expected a size such as"},
        BadManifest{"", "[limits]\nmemory = 1024", "from 16777216 to 1099511627776 bytes"},
        BadManifest{"", "[limits]\nmemory = [1]", "'limits.memory' is a list"},
        BadManifest{"", "[limits]\nfile_size = -1", "'limits.file_size' is -1"},
        BadManifest{"", "[limits]\nopen_files = 7", "'limits.open_files' is 7"},
        BadManifest{"", "[limits]\nprocesses = 0", "'limits.processes' is 0"},
        BadManifest{"", "[limits]\nstart_timeout_ms = 0", "'limits.start_timeout_ms'"},
        BadManifest{"", "[limits]\ncall_timeout_ms = 600001", "expected a number from 1 to 600000"},
        BadManifest{"", "[limits]\nconcurrent_calls = {}", "'limits.concurrent_calls' is a table"},
        BadManifest{"", "[permissions]\nread = [\"etc\"]",
                    "'permissions.read' is 'etc', expected an absolute path"},
        BadManifest{"", "[permissions]\nread = [\"/etc/../root\"]", "expected an absolute path"},
        BadManifest{"", "[permissions]\nread = [\"/etc/\"]", "expected an absolute path"},
        BadManifest{"", "[permissions]\nwrite = [\"//etc\"]", "expected an absolute path"},
        BadManifest{"", "[permissions]\nwrite = [\"/a\\u0007\"]", "expected an absolute path"},
        BadManifest{"", "[permissions]\nwrite = [1]", "'permissions.write' is 1"},
        BadManifest{"", "[permissions]\nnetwork = 1", "'permissions.network' is 1, expected true or false"},
        BadManifest{"", "tested_with = [1]", "'host_api.tested_with' is 1, expected a version"},
        BadManifest{"", "tested_with = [\"1\"]", "'host_api.tested_with' is '1'"},
        BadManifest{"max", "max = \"0.9.0\"",
                    "'host_api.max' is '0.9.0', expected at least host_api.min, 1.0.0"},
        BadManifest{"", "[dependencies]\nwords = \"*\"", "expected a key of the form \"publisher/name\""},
        BadManifest{"", "[dependencies]\n\"a/b\" = 1", "'dependencies.a/b' is 1, expected a version range"},
        BadManifest{"", "[dependencies]\n\"a/b\" = \"1 - 2\"",
                    "expected a version range such as \"^1.2\" (the"},
        BadManifest{"", "[dependencies]\n\"acme/guard\" = \"*\"", "expected other plugins than this one"},
        BadManifest{"", "[conflicts]\n\"acme/guard\" = \"*\"", "expected other plugins than this one"},
        BadManifest{"", "[config]\nrate = nan",
                    "'config.rate' is a decimal number, expected a finite number"},
        BadManifest{"", "[config]\na = [inf]", "expected a finite number"},
        BadManifest{"[plugin]", "limits = 5\n[plugin]", "'limits' is 5, expected a table: [limits]"},
        BadManifest{"[plugin]", "dependencies = []\n[plugin]", "'dependencies' is a list, expected a table"},
        BadManifest{"[host_api]", "config_schema_file = \"a.json\"\n[config_schema]\n[host_api]",
                    "expected none, as plugin.config_schema_file names a file"}));

TEST(Manifest, RefusesConfigurationsThatNestTooDeep) {
  std::string deep = "[config]\na = ";
  for (int i = 0; i < 40; ++i) deep += "[";
  deep += "1";
  for (int i = 0; i < 40; ++i) deep += "]";

  EXPECT_THAT(error_of(manifest_with("", deep)).message, HasSubstr("at most 32 levels in one another"));
}

TEST(Manifest, RefusesLongListsAndLongFiles) {
  std::string items;
  for (int i = 0; i < 65; ++i) items += "\"a\",";

  EXPECT_THAT(error_of(manifest_with("command", "command = [" + items + "]")).message,
              HasSubstr("a list of at most 64 values"));
  EXPECT_THAT(error_of(std::string(70'000, '#')).message, HasSubstr("more than"));
}

// toml++ frees tables by recursion: a key of so many parts ended the process.
TEST(Manifest, SurvivesAKeyOfTenThousandParts) {
  std::string key = "a";
  for (int i = 0; i < 10'000; ++i) key += ".a";

  EXPECT_THAT(error_of(key + " = 1").message, HasSubstr("4000 dots"));
  EXPECT_THAT(error_of("[" + key + "]").message, HasSubstr("4000 dots"));
}

TEST(Manifest, KnowsWhichTextsAreIds) {
  for (const char* id : {"a/b", "0/0", "llama-gpu/prompt-guard", "a-/b-"})
    EXPECT_TRUE(is_plugin_id(id)) << id;
  for (const char* id : {"", "/", "a", "a/", "/b", "a/b/", "a/b/c", "A/b", "a/B", "-a/b", "a/-b", "a b/c",
                         "a/.", "a/..", "a/b\n", "\xc3\xa4/b", "a_b/c"}) {
    EXPECT_FALSE(is_plugin_id(id)) << id;
  }
  EXPECT_TRUE(is_plugin_id(std::string(39, 'a') + "/" + std::string(39, 'b')));
  EXPECT_FALSE(is_plugin_id(std::string(40, 'a') + "/b"));
}

TEST(Manifest, NamesCapabilitiesAndPolicies) {
  EXPECT_EQ(capability_name(Capability::kRequestFilter), "request_filter");
  EXPECT_EQ(capability_name(Capability::kEventListener), "event_listener");
  EXPECT_EQ(failure_policy_name(FailurePolicy::kOpen), "open");
  EXPECT_EQ(failure_policy_name(FailurePolicy::kClosed), "closed");
}

TEST(Manifest, IsComparedWithTheHostsApi) {
  const PluginManifest manifest = *parse_manifest(manifest_with("", ""), "plugin.toml");
  const auto check = [&](std::string_view api) { return check_host_api(manifest, *parse_version(api)); };

  EXPECT_TRUE(check("1.0.0").ok());
  EXPECT_TRUE(check("1.9.0").ok());
  EXPECT_EQ(check("0.9.0").error().code, ErrorCode::kPluginIncompatible);
  EXPECT_EQ(check("1.9.1").error().message,
            "acme/guard 1.2.3 needs a host API from 1.0.0 to 1.9.0, this host's is 1.9.1");
  EXPECT_THAT(check("0.9.0").error().hint, HasSubstr("update the server"));
  EXPECT_THAT(check("2.0.0").error().hint, HasSubstr("newer version of the plugin"));
  EXPECT_TRUE(check_host_api(manifest, *parse_version(kHostApiVersion)).ok());
}

}  // namespace
}  // namespace llama_gpu::plugins
