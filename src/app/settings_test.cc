// SPDX-License-Identifier: Apache-2.0
#include "app/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/backends.h"
#include "base/temporary_folder_fake.h"

namespace llama_gpu::app {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// The message that a file with this text gives.
std::string toml_error(std::string_view text) {
  LoadedSettings settings;
  const Status status = apply_toml(settings, text, "c.toml");
  EXPECT_FALSE(status.ok()) << text;
  if (status.ok()) return "";
  EXPECT_EQ(status.error().code, ErrorCode::kConfigInvalid);
  return status.error().message;
}

std::string environment_error(const Environment::Variables& variables) {
  LoadedSettings settings;
  const Status status = apply_environment(settings, Environment::of_variables(variables));
  return status.ok() ? "" : status.error().message;
}

TEST(Settings, HaveTheDeclaredDefaults) {
  const Result<LoadedSettings> settings = load_settings({Environment({{"HOME", "/nonexistent"}})});

  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->values.server.host, "127.0.0.1");
  EXPECT_EQ(settings->values.server.port, 8484);
  EXPECT_EQ(settings->values.server.max_body_bytes, 8 << 20);
  EXPECT_EQ(settings->values.engine.parallel, 32);
  EXPECT_EQ(settings->values.models.dir, "/nonexistent/.local/share/llama-gpu/models");
  EXPECT_EQ(settings->config_path, "/nonexistent/.config/llama-gpu/config.toml");
  EXPECT_FALSE(settings->has_config_file);
  EXPECT_EQ(origin_text(settings->origin(SettingId::kServerPort)), "default");
}

TEST(Settings, AreTakenFromTheStrongestSource) {
  const TemporaryFolder folder;
  const std::string path = folder.write(
      "config.toml", "[server]\nhost = \"::1\"\nport = 1\n[engine]\nthreads = 2\nparallel = 3\n");
  const Environment environment(
      {{"LLAMAGPU_CONFIG", path}, {"LLAMAGPU_SERVER__PORT", "4"}, {"LLAMAGPU_ENGINE__THREADS", "5"}});

  const Result<LoadedSettings> settings =
      load_settings({environment, "", {{SettingId::kEngineThreads, "6"}}});

  ASSERT_TRUE(settings.ok()) << settings.error().message;
  EXPECT_EQ(settings->values.server.host, "::1");
  EXPECT_EQ(settings->values.server.port, 4);
  EXPECT_EQ(settings->values.engine.threads, 6);
  EXPECT_EQ(settings->values.engine.parallel, 3);
  EXPECT_EQ(origin_text(settings->origin(SettingId::kServerHost)), "file " + path + ":2:8");
  EXPECT_EQ(origin_text(settings->origin(SettingId::kServerPort)), "environment LLAMAGPU_SERVER__PORT");
  EXPECT_EQ(origin_text(settings->origin(SettingId::kEngineThreads)), "flag --threads");
}

TEST(Settings, NameFileLineColumnAndTheNearestKey) {
  EXPECT_EQ(toml_error("[server]\nprot = 1\n"),
            "c.toml:2:1: 'server.prot' is not a setting; did you mean 'server.port'?");
  EXPECT_EQ(toml_error("port = 1\n"), "c.toml:1:1: 'port' is not a setting; did you mean 'server.port'?");
  EXPECT_EQ(toml_error("[engin]\nthreads = 1\n"),
            "c.toml:1:2: 'engin' is not a setting; did you mean '[engine]'?");
  EXPECT_EQ(toml_error("[server]\nmodel_dir = \"x\"\n"), "c.toml:2:1: 'server.model_dir' is not a setting");
}

TEST(Settings, SayWhatWasExpectedOfAValue) {
  EXPECT_EQ(toml_error("[server]\nport = 70000\n"),
            "c.toml:2:8: 'server.port' is 70000, expected an integer from 0 to 65535");
  EXPECT_EQ(toml_error("[server]\nport = \"8484\"\n"),
            "c.toml:2:8: 'server.port' is '8484', expected an integer from 0 to 65535");
  EXPECT_EQ(toml_error("[server]\nport = 1.5\n"),
            "c.toml:2:8: 'server.port' is a decimal number, expected an integer from 0 to 65535");
  EXPECT_EQ(
      toml_error("[server]\nhost = 1979-05-27\n"),
      "c.toml:2:8: 'server.host' is a date or time, expected a host name or an IP address; give the port by "
      "--port");
  EXPECT_EQ(toml_error("[engine]\nbackend = true\n"),
            "c.toml:2:11: 'engine.backend' is true, expected one of cpu, reference");
  EXPECT_EQ(toml_error("[server]\nport = []\n"),
            "c.toml:2:8: 'server.port' is a list, expected an integer from 0 to 65535");
  EXPECT_EQ(toml_error("[server.api_key]\nx = 1\n"),
            "c.toml:1:1: 'server.api_key' is not valid, expected a string");
  EXPECT_EQ(toml_error("[server]\ninsecure_no_auth = \"yes\"\n"),
            "c.toml:2:20: 'server.insecure_no_auth' is 'yes', expected true or false");
  EXPECT_EQ(toml_error("[server]\nallowed_hosts = [\"a\", 7]\n"),
            "c.toml:2:23: 'server.allowed_hosts' is 7, expected a list of strings");
  EXPECT_EQ(toml_error("[server]\nallowed_hosts = \"a\"\n"),
            "c.toml:2:17: 'server.allowed_hosts' is 'a', expected a list of strings");
  EXPECT_EQ(toml_error("server = 1\n"), "c.toml:1:1: 'server' is 1, expected a table: [server]");
  EXPECT_EQ(toml_error("[log]\nlevel = \"wraning\"\n"),
            "c.toml:2:9: 'log.level' is 'wraning', expected one of debug, info, warning, error; did you mean "
            "'warning'?");
  EXPECT_THAT(toml_error("[server]\nmax_body_bytes = \"lots\"\n"),
              HasSubstr("expected a size in bytes from 1024"));
  EXPECT_THAT(toml_error("[models]\ndir = \"a\\u0000b\"\n"), HasSubstr("expected a string"));
}

TEST(Settings, CheckWhatATextSays) {
  EXPECT_EQ(toml_error("[models]\naliases = [\"a=b\",\n  \"rubbish\"]\n"),
            "c.toml:3:3: 'models.aliases' is 'rubbish', expected a list of strings, each NAME=MODEL");
  EXPECT_EQ(toml_error("[models.aliases]\na = \"b\"\n"),
            "c.toml:1:1: 'models.aliases' is a table, expected a list of strings, each NAME=MODEL");
  EXPECT_EQ(toml_error("[models]\ndir = \"\"\n"),
            "c.toml:2:7: 'models.dir' is '', expected a string that is not empty");
  EXPECT_THAT(toml_error("[server]\nhost = \"\"\n"), HasSubstr("'server.host' is '', expected a host name"));
  EXPECT_EQ(toml_error("[engine]\nbackend = \"gpu\"\n"),
            "c.toml:2:11: 'engine.backend' is 'gpu', expected one of cpu, reference; did you mean 'cpu'?");
  EXPECT_EQ(
      environment_error({{"LLAMAGPU_HOST", "127.0.0.1:9000"}}),
      "LLAMAGPU_HOST: 'server.host' is '127.0.0.1:9000', expected a host name or an IP address; give the "
      "port by --port");
  EXPECT_THAT(environment_error({{"LLAMAGPU_MODELS__ALIASES", "a=b,c"}}), HasSubstr("is 'c', expected"));
}

TEST(Settings, TakeAnAddressInBrackets) {
  LoadedSettings settings;

  ASSERT_TRUE(apply_environment(settings, Environment({{"LLAMAGPU_HOST", "[::1]"}})).ok());

  EXPECT_EQ(settings.values.server.host, "::1");
}

TEST(Settings, ChooseAmongTheBackendsOfThisProgram) {
  const auto choices = setting_info(SettingId::kEngineBackend).choices;
  const std::vector<std::string> names = make_backends().names();

  EXPECT_EQ(std::vector<std::string>(choices.begin(), choices.end()), names);
}

TEST(Settings, NameWhatStandsWhereASectionOrAnItemShould) {
  EXPECT_THAT(toml_error("server = true\n"), HasSubstr("'server' is true, expected a table"));
  EXPECT_THAT(toml_error("server = 1.5\n"), HasSubstr("'server' is a decimal number, expected a table"));
  EXPECT_THAT(toml_error("server = \"x\"\n"), HasSubstr("'server' is 'x', expected a table"));
  EXPECT_THAT(toml_error("[server]\nallowed_hosts = [[\"a\"]]\n"),
              HasSubstr("'server.allowed_hosts' is a list, expected a list of strings"));
}

TEST(Settings, PointAtBrokenToml) {
  EXPECT_THAT(toml_error("[server\nport = 1\n"), HasSubstr("c.toml:1:8: "));
  EXPECT_THAT(toml_error("port = \n"), HasSubstr("c.toml:1:"));
}

TEST(Settings, ReadEveryTypeFromAFile) {
  LoadedSettings settings;

  const Status status = apply_toml(settings,
                                   "[server]\nmax_body_bytes = \"16MiB\"\nallowed_hosts = [\"a\", \"b\"]\n"
                                   "insecure_no_auth = true\napi_key = \"k\"\n[log]\nformat = \"json\"\n",
                                   "c.toml");

  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_EQ(settings.values.server.max_body_bytes, 16 << 20);
  EXPECT_THAT(settings.values.server.allowed_hosts, ElementsAre("a", "b"));
  EXPECT_TRUE(settings.values.server.insecure_no_auth);
  EXPECT_EQ(settings.values.log.format, "json");
  EXPECT_EQ(setting_text(settings, SettingId::kServerApiKey), "(set)");
  EXPECT_EQ(setting_text(settings, SettingId::kServerAllowedHosts), "a,b");
  EXPECT_EQ(setting_text(settings, SettingId::kServerInsecureNoAuth), "true");
  EXPECT_EQ(setting_text(settings, SettingId::kServerMaxBodyBytes), "16777216");
}

TEST(Settings, ReadShortAndLongVariables) {
  LoadedSettings settings;

  ASSERT_TRUE(apply_environment(settings, Environment({{"LLAMAGPU_PORT", "1"},
                                                       {"LLAMAGPU_SERVER__PORT", "2"},
                                                       {"LLAMAGPU_FORCE_ISA", "scalar"},
                                                       {"LLAMAGPU_HOST", ""},
                                                       {"LLAMAGPU_SERVER__ALLOWED_HOSTS", "a, b,"},
                                                       {"LLAMAGPU_SERVER__INSECURE_NO_AUTH", "no"},
                                                       {"LLAMAGPU_TEST_MODEL", "ignored"}}))
                  .ok());

  EXPECT_EQ(settings.values.server.port, 2);
  EXPECT_EQ(settings.values.server.host, "127.0.0.1");
  EXPECT_EQ(settings.values.engine.isa, "scalar");
  EXPECT_THAT(settings.values.server.allowed_hosts, ElementsAre("a", "b"));
  EXPECT_FALSE(settings.values.server.insecure_no_auth);
}

TEST(Settings, RefuseWrongVariables) {
  EXPECT_EQ(
      environment_error({{"LLAMAGPU_SERVER__PROT", "1"}}),
      "environment variable 'LLAMAGPU_SERVER__PROT' is not a setting; did you mean 'LLAMAGPU_SERVER__PORT'?");
  EXPECT_EQ(environment_error({{"LLAMAGPU_PORT", "many"}}),
            "LLAMAGPU_PORT: 'server.port' is 'many', expected an integer from 0 to 65535");
  EXPECT_THAT(environment_error({{"LLAMAGPU_SERVER__INSECURE_NO_AUTH", "maybe"}}),
              HasSubstr("expected true or false"));
  EXPECT_THAT(environment_error({{"LLAMAGPU_FORCE_ISA", "sse9"}}),
              HasSubstr("expected one of scalar, avx2, avx512"));
  EXPECT_THAT(environment_error({{"LLAMAGPU_SERVER__PORT_FILE", "x"}}), HasSubstr("is not a setting"));
}

// What is said of a variable that is no setting; empty where it is none of ours, or known.
std::string warning_of(const std::string& name) {
  LoadedSettings settings;
  EXPECT_TRUE(apply_environment(settings, Environment::of_variables({{name, "1"}})).ok()) << name;
  return settings.warnings.empty() ? "" : settings.warnings.front();
}

TEST(Settings, WarnOfVariablesThatAreNone) {
  EXPECT_EQ(
      warning_of("LLAMAGPU_PROT"),
      "environment variable 'LLAMAGPU_PROT' is not a setting and is ignored; did you mean 'LLAMAGPU_PORT'?");
  EXPECT_THAT(warning_of("LLAMAGPU_SERVER_PORT"), HasSubstr("did you mean 'LLAMAGPU_PORT'?"));
  EXPECT_THAT(warning_of("LLAMAGPU_THREADS"), HasSubstr("did you mean 'LLAMAGPU_ENGINE__THREADS'?"));
  EXPECT_THAT(warning_of("LLAMAGPU_QUITE_ANOTHER_THING"), EndsWith("is ignored"));
  EXPECT_THAT(warning_of("LLAMAGPU_"), HasSubstr("is not a setting"));
}

TEST(Settings, WarnOfNoVariableThatIsKnown) {
  for (const char* name : {"LLAMAGPU_CONFIG", "LLAMAGPU_MODELS", "LLAMAGPU_PORT", "LLAMAGPU_TEST_MODEL",
                           "LLAMAGPU_FUZZ_SECONDS", "LLAMAGPU_SOAK_SECONDS", "LLAMAGPU_BIN", "PATH"}) {
    EXPECT_EQ(warning_of(name), "");
  }
}

TEST(Settings, ReadSecretsFromFiles) {
  const TemporaryFolder folder;
  const std::string path = folder.write("key", "top-secret\n");

  for (const char* name : {"LLAMAGPU_API_KEY_FILE", "LLAMAGPU_SERVER__API_KEY_FILE"}) {
    LoadedSettings settings;
    ASSERT_TRUE(apply_environment(settings, Environment::of_variables({{name, path}})).ok());
    EXPECT_EQ(settings.values.server.api_key, "top-secret");
    EXPECT_EQ(settings.origin(SettingId::kServerApiKey).where, name);
  }
  EXPECT_THAT(environment_error({{"LLAMAGPU_API_KEY_FILE", folder.path("missing")}}),
              HasSubstr("LLAMAGPU_API_KEY_FILE: cannot read"));
}

TEST(Settings, NeverShowASecretInAnError) {
  EXPECT_EQ(toml_error("[server]\napi_key = 12345\n"),
            "c.toml:2:11: 'server.api_key' is not valid, expected a string");
  EXPECT_THAT(environment_error({{"LLAMAGPU_API_KEY",
                                  "se\xFF"
                                  "cret"}}),
              Not(HasSubstr("cret'")));
}

TEST(Settings, NameTheFlagOfAWrongValue) {
  LoadedSettings settings;

  const Status status = apply_flags(settings, {{SettingId::kEngineThreads, "-1"}});

  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(status.error().message, "--threads: '-1' is not valid, expected an integer from 0 to 1024");
  EXPECT_EQ(status.error().param, "engine.threads");
}

TEST(Settings, KnowWhichFlagsWereGiven) {
  LoadedSettings settings;
  const SettingId ids[] = {SettingId::kEngineThreads, SettingId::kEngineBackend, SettingId::kEngineCtxSize};
  EXPECT_EQ(given_flags(settings, ids), "");

  ASSERT_TRUE(apply_environment(settings, Environment({{"LLAMAGPU_ENGINE__BACKEND", "cpu"}})).ok());
  ASSERT_TRUE(
      apply_flags(settings, {{SettingId::kEngineThreads, "1"}, {SettingId::kEngineCtxSize, "64"}}).ok());

  EXPECT_EQ(given_flags(settings, ids), "--threads, --ctx-size");
}

TEST(Settings, NeverShowTheSecretOfAFlag) {
  LoadedSettings settings;

  const Status status = apply_flags(settings, {{SettingId::kServerApiKey, "hush\xFF"}});

  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "--api-key: the value is not valid, expected a string");
}

TEST(Settings, WantTheFileThatWasNamed) {
  const Environment environment({{"HOME", "/nonexistent"}});

  const Result<LoadedSettings> settings = load_settings({environment, "/nonexistent/config.toml"});

  ASSERT_FALSE(settings.ok());
  EXPECT_EQ(settings.error().code, ErrorCode::kFileNotFound);
}

TEST(Settings, FindKeys) {
  EXPECT_EQ(find_setting("server.port"), SettingId::kServerPort);
  EXPECT_EQ(find_setting("port"), std::nullopt);
  EXPECT_EQ(nearest_setting("ctx-size"), "engine.ctx_size");
  EXPECT_EQ(nearest_setting("engin"), "[engine]");
  EXPECT_EQ(nearest_setting("completely.unlike.all"), std::nullopt);
}

}  // namespace
}  // namespace llama_gpu::app
