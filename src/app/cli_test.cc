// SPDX-License-Identifier: Apache-2.0
#include "app/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "app/console_fake.h"
#include "app/http_server_fake.h"
#include "base/log.h"
#include "base/temporary_folder_fake.h"
#include "support/gguf_parts.h"

namespace llama_gpu::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::ordered_json;

// Runs command lines with a home of their own.
class CliTest : public ::testing::Test {
 protected:
  void SetUp() override { set({}); }
  void TearDown() override { configure_logging({}); }

  void set(Environment::Variables variables) {
    variables.emplace("HOME", folder_.path());
    variables.emplace("LLAMAGPU_MODELS", folder_.path("models"));
    environment_ = Environment::of_variables(std::move(variables));
  }

  // Returns the exit code; what was written is in out_ and err_.
  int run(std::vector<std::string> arguments, const std::string& input = "") {
    ConsoleFake fake(input);
    const int exit_code = run_cli(arguments, {fake.console, environment_, interrupts_});
    out_ = fake.out.str();
    err_ = fake.err.str();
    return exit_code;
  }

  TemporaryFolder folder_;
  Environment environment_;
  Interrupts interrupts_;
  std::string out_, err_;
};

TEST_F(CliTest, ShowsHelpOnStdout) {
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("Bring a model file into the models folder"));
  EXPECT_THAT(out_, Not(HasSubstr("engine-worker")));
  EXPECT_EQ(err_, "");

  EXPECT_EQ(run({"pull", "--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("--sha256"));
}

TEST_F(CliTest, ShowsHelpOnStderrWhereNoVerbIsGiven) {
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr("Usage: llama-gpu"));
}

TEST_F(CliTest, ShowsTheVersion) {
  EXPECT_EQ(run({"version"}), 0);
  EXPECT_THAT(out_, StartsWith("llama-gpu 0."));
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_THAT(out_, StartsWith("llama-gpu 0."));
  EXPECT_EQ(run({"version", "--json"}), 0);
  EXPECT_TRUE(Json::parse(out_).contains("version"));
}

TEST_F(CliTest, NamesTheNearestVerbAndFlag) {
  EXPECT_EQ(run({"lsit"}), 2);
  EXPECT_EQ(
      err_,
      "llama-gpu: unknown verb 'lsit'; did you mean 'list'? (`llama-gpu --help` shows what there is)\n");
  EXPECT_EQ(run({"pull", "x", "--sha265=1"}), 2);
  EXPECT_EQ(err_,
            "llama-gpu: unknown flag '--sha265'; did you mean '--sha256'? (`llama-gpu pull --help` shows "
            "what there is)\n");
  EXPECT_EQ(run({"list", "--log-levle", "info"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean '--log-level'?"));
  EXPECT_EQ(run({"list", "extra"}), 2);
  EXPECT_THAT(err_, HasSubstr("unexpected argument 'extra'"));
  EXPECT_EQ(out_, "");
}

TEST_F(CliTest, SaysWhichArgumentIsMissing) {
  EXPECT_EQ(run({"pull"}), 2);
  EXPECT_THAT(err_, HasSubstr("source is required"));
  EXPECT_EQ(run({"--no-color"}), 2);
  EXPECT_THAT(err_, HasSubstr("a verb is missing, expected one of serve, run, pull"));
  EXPECT_THAT(err_, Not(HasSubstr("engine-worker")));
  EXPECT_EQ(run({"config"}), 2);
  EXPECT_THAT(err_, HasSubstr("a verb is missing, expected one of show, path (`llama-gpu config --help`"));
  EXPECT_EQ(run({"config", "sho"}), 2);
  EXPECT_THAT(err_, HasSubstr("unknown verb 'sho'; did you mean 'show'?"));
}

TEST_F(CliTest, RefusesEveryWrongFlagInTheSameWay) {
  const std::string help = " (`llama-gpu run --help` shows what there is)\n";
  EXPECT_EQ(run({"run", "x", "--threads", "many"}), 2);
  EXPECT_EQ(err_, "llama-gpu: --threads: 'many' is not valid, expected an integer from 0 to 1024" + help);
  EXPECT_EQ(run({"run", "x", "--threads", "-1"}), 2);
  EXPECT_EQ(err_, "llama-gpu: --threads: '-1' is not valid, expected an integer from 0 to 1024" + help);
  EXPECT_EQ(run({"run", "x", "--temperature", "5"}), 2);
  EXPECT_EQ(err_, "llama-gpu: --temperature: '5' is not valid, expected a number from 0 to 2" + help);
  EXPECT_EQ(run({"run", "x", "--max-tokens", "0"}), 2);
  EXPECT_EQ(err_,
            "llama-gpu: --max-tokens: '0' is not valid, expected an integer from 1 to 2147483647" + help);
  EXPECT_EQ(run({"run", "x", "--top-p", "nan"}), 2);
  EXPECT_EQ(err_, "llama-gpu: --top-p: 'nan' is not valid, expected a number from 0 to 1" + help);
  EXPECT_EQ(run({"run", "x", "--seed"}), 2);
  EXPECT_EQ(err_, "llama-gpu: --seed: a value is missing" + help);
  EXPECT_EQ(run({"run", "x", "--threads"}), 2);
  EXPECT_EQ(err_, "llama-gpu: --threads: a value is missing" + help);
  EXPECT_EQ(run({"run", "x", "--insecure=perhaps"}), 2);
  EXPECT_EQ(err_, "llama-gpu: --insecure: no value is expected" + help);
  EXPECT_EQ(run({"list", "--models-dir", ""}), 2);
  EXPECT_THAT(err_, HasSubstr("--models-dir: '' is not valid, expected a string that is not empty"));
  EXPECT_EQ(run({"serve", "--host", "127.0.0.1:80"}), 2);
  EXPECT_THAT(err_,
              HasSubstr("--host: '127.0.0.1:80' is not valid, expected a host name or an IP address; give "
                        "the port by --port"));
}

TEST_F(CliTest, LetsTheLastOfTwoEqualFlagsCount) {
  EXPECT_EQ(run({"run", "nothing", "x", "--temperature", "2", "--temperature", "1"}), 66);
  EXPECT_EQ(run({"config", "show", "--log-level", "error", "--log-level", "info"}), 0);
  EXPECT_THAT(out_, HasSubstr("level = \"info\""));
}

TEST_F(CliTest, WarnsOfVariablesThatAreNoSettings) {
  set({{"LLAMAGPU_PROT", "1"}});

  EXPECT_EQ(run({"list"}), 0);

  EXPECT_THAT(err_,
              StartsWith("llama-gpu: warning: environment variable 'LLAMAGPU_PROT' is not a setting and is "
                         "ignored; did you mean 'LLAMAGPU_PORT'?\n"));
}

TEST_F(CliTest, ShowsSettingsWithTheirOrigin) {
  const std::string path = folder_.write("config.toml", "[server]\nport = 9000\napi_key = \"hush\"\n");
  set({{"LLAMAGPU_ENGINE__THREADS", "3"}});

  EXPECT_EQ(run({"config", "show", "--origin", "--config", path, "--log-level", "error"}), 0);

  EXPECT_THAT(out_,
              HasSubstr("[server]\nhost = \"127.0.0.1\"  # default\nport = 9000  # file " + path + ":2:8\n"));
  EXPECT_THAT(out_, HasSubstr("api_key = \"(set)\"  # file"));
  EXPECT_THAT(out_, HasSubstr("threads = 3  # environment LLAMAGPU_ENGINE__THREADS\n"));
  EXPECT_THAT(out_, HasSubstr("level = \"error\"  # flag --log-level\n"));
  EXPECT_THAT(out_, Not(HasSubstr("hush")));
}

TEST_F(CliTest, ShowsSettingsAsJson) {
  EXPECT_EQ(run({"config", "show", "--json", "--origin"}), 0);

  const Json json = Json::parse(out_);
  EXPECT_EQ(json["settings"][1],
            Json::parse(R"({"key":"server.port","value":8484,"origin":{"source":"default","where":""}})"));
  EXPECT_EQ(run({"config", "show", "--json"}), 0);
  EXPECT_FALSE(Json::parse(out_)["settings"][0].contains("origin"));
}

TEST_F(CliTest, ShowsWhereTheSettingsFileIs) {
  EXPECT_EQ(run({"config", "path"}), 0);
  EXPECT_EQ(out_, folder_.path(".config/llama-gpu/config.toml") + "\n");
}

TEST_F(CliTest, RefusesAWrongSettingOfEverySource) {
  EXPECT_EQ(run({"list", "--config", folder_.write("c.toml", "[server]\nport = 0x\n")}), 78);
  EXPECT_THAT(err_, HasSubstr("c.toml:2:"));
  EXPECT_EQ(run({"list", "--config", folder_.path("missing.toml")}), 66);
  EXPECT_EQ(run({"list", "--log-level", "loud"}), 2);
  EXPECT_THAT(err_,
              HasSubstr("--log-level: 'loud' is not valid, expected one of debug, info, warning, error"));
  set({{"LLAMAGPU_FAILPOINTS", "x=explode"}});
  EXPECT_EQ(run({"list"}), 78);
  EXPECT_THAT(err_, HasSubstr("LLAMAGPU_FAILPOINTS: failpoint 'x=explode'"));
  set({{"LLAMAGPU_HOST", "http://localhost"}});
  EXPECT_EQ(run({"config", "show"}), 78);
  EXPECT_THAT(err_, HasSubstr("give the port by --port"));
}

TEST_F(CliTest, ListsModels) {
  EXPECT_EQ(run({"list"}), 0);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr("no models in"));
  EXPECT_EQ(run({"list", "--json"}), 0);
  EXPECT_EQ(Json::parse(out_), Json::parse(R"({"models":[]})"));

  folder_.write("Model.Q4_0.gguf", std::string(2500, 'x'));
  EXPECT_EQ(run({"list", "--models-dir", folder_.path()}), 0);
  EXPECT_THAT(out_, HasSubstr("model     2.5 kB  20"));
  EXPECT_EQ(run({"list", "--json", "--models-dir", folder_.path()}), 0);
  const Json model = Json::parse(out_)["models"][0];
  EXPECT_EQ(model["id"], "model");
  EXPECT_EQ(model["size_bytes"], 2500);
  EXPECT_EQ(model["path"], folder_.path("Model.Q4_0.gguf"));
}

TEST_F(CliTest, PullsAFile) {
  const std::string contents = test_support::GgufParts{}.bytes();
  const HttpServerFake server(
      [&](const HttpServerFake::Request& request) { return serve_file(request, contents, "\"1\""); });

  EXPECT_EQ(run({"pull", server.url() + "/m.gguf"}), 0);
  EXPECT_EQ(out_, folder_.path("models/m.gguf") + "\n");
  EXPECT_THAT(err_, HasSubstr("m.gguf: 100 %"));
  EXPECT_EQ(run({"pull", server.url() + "/m.gguf"}), 0);
  EXPECT_THAT(err_, HasSubstr("it is there already\n"));
  EXPECT_EQ(run({"pull", server.url() + "/m.gguf", "--force"}), 0);
  EXPECT_THAT(err_, HasSubstr("100 %"));
  EXPECT_EQ(run({"pull", server.url() + "/m.gguf", "--replace", "--sha256", std::string(64, '0')}), 66);
  EXPECT_EQ(out_, "");
}

TEST_F(CliTest, EndsWithTheSignalsCode) {
  interrupts_.raise(SIGINT);

  EXPECT_EQ(run({"pull", folder_.write("m.gguf", test_support::GgufParts{}.bytes())}), 130);
}

TEST_F(CliTest, SaysWhatAModelFileLacks) {
  EXPECT_EQ(run({"show", folder_.write("bad.gguf", "not a model")}), 66);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, StartsWith("llama-gpu: "));
  EXPECT_EQ(run({"show", "nothing"}), 66);
  EXPECT_THAT(err_, HasSubstr("there is no model 'nothing'"));
}

}  // namespace
}  // namespace llama_gpu::app
