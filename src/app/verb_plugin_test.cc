// SPDX-License-Identifier: Apache-2.0
//
// `plugin` without a server, and against one that says what the test wants.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/cli.h"
#include "app/console_fake.h"
#include "app/http_server_fake.h"
#include "base/log.h"
#include "base/temporary_folder_fake.h"

namespace llama_gpu::app {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;

class PluginVerbTest : public testing::Test {
 protected:
  void TearDown() override { configure_logging({}); }

  int run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), "plugin");
    ConsoleFake fake(input);
    fake.console.in_is_terminal = !input.empty();
    const int exit_code =
        run_cli(arguments, {fake.console, environment_, interrupts_, LLAMAGPU_TEST_PROGRAM});
    out_ = fake.out.str();
    err_ = fake.err.str();
    return exit_code;
  }
  int offline(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.emplace_back("--offline");
    return run(std::move(arguments), input);
  }

  std::string make_package(const std::string& permissions = "") {
    std::filesystem::create_directories(folder_.path("p"));
    folder_.write("p/run.py", "");
    folder_.write("p/plugin.toml",
                  "[plugin]\nid = \"acme/guard\"\nversion = \"1.0.0\"\nsummary = \"s\"\nlicense = \"MIT\"\n"
                  "command = [\"python3\", \"run.py\"]\ncapabilities = [\"request_filter\"]\n"
                  "[host_api]\nmin = \"1.0.0\"\nmax = \"1.9.0\"\n[permissions]\n" +
                      permissions + "\n[config]\nmask = \"x\"\n");
    return folder_.path("p");
  }

  TemporaryFolder folder_;
  Environment environment_ =
      Environment::of_variables({{"HOME", folder_.path()}, {"LLAMAGPU_PLUGINS", folder_.path("store")}});
  Interrupts interrupts_;
  std::string out_, err_;
};

TEST_F(PluginVerbTest, ShowsItsSubcommands) {
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("rollback"));
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(run({"list", "--jsno"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean '--json'?"));
  EXPECT_EQ(run({"info"}), 2);
}

TEST_F(PluginVerbTest, ValidatesAFolder) {
  EXPECT_EQ(run({"validate", make_package()}), 0);
  EXPECT_THAT(out_, HasSubstr("acme/guard 1.0.0 is valid: 2 files"));
  EXPECT_EQ(run({"validate", make_package(), "--json"}), 0);
  EXPECT_EQ(Json::parse(out_)["state"], "validated");
  EXPECT_EQ(run({"validate", make_package("nework = true")}), 65);
  EXPECT_THAT(err_, HasSubstr("network"));
}

TEST_F(PluginVerbTest, PlansInstallsAndShowsWithoutAServer) {
  const std::string package = make_package();
  EXPECT_EQ(offline({"install", package, "--allow-unsigned", "--dry-run"}), 0);
  EXPECT_THAT(out_, HasSubstr("install acme/guard 1.0.0\n"));
  EXPECT_EQ(offline({"list"}), 0);
  EXPECT_THAT(err_, HasSubstr("no plugins"));
  EXPECT_EQ(offline({"install", package}), 77);
  EXPECT_THAT(err_, HasSubstr("--allow-unsigned"));

  EXPECT_EQ(offline({"install", package, "--allow-unsigned"}), 0);
  EXPECT_THAT(out_, HasSubstr("generation 1\n"));
  EXPECT_THAT(err_, HasSubstr("takes effect at its next start"));
  EXPECT_EQ(offline({"list"}), 0);
  EXPECT_THAT(out_, HasSubstr("acme/guard  1.0.0    stopped"));
  EXPECT_EQ(offline({"info", "acme/guard"}), 0);
  EXPECT_THAT(out_, HasSubstr("license       MIT"));
  EXPECT_EQ(offline({"generations", "--json"}), 0);
  EXPECT_EQ(Json::parse(out_)["current"], 1);
}

TEST_F(PluginVerbTest, ConfiguresRollsBackAndRemoves) {
  ASSERT_EQ(offline({"install", make_package(), "--allow-unsigned"}), 0);
  EXPECT_EQ(offline({"configure", "acme/guard", "--set", "a.b=1", "--set", "mask=y"}), 0);
  EXPECT_EQ(offline({"info", "acme/guard", "--json"}), 0);
  EXPECT_EQ(Json::parse(out_)["config"].dump(), R"({"mask":"y","a":{"b":1}})");
  EXPECT_EQ(offline({"configure", "acme/guard", "--file", folder_.write("c.json", R"({"k":2})")}), 0);
  EXPECT_EQ(offline({"disable", "acme/guard", "--json"}), 0);
  EXPECT_EQ(Json::parse(out_)["generation"]["plugins"][0]["config"]["k"], 2);
  EXPECT_EQ(offline({"enable", "acme/guard"}), 0);
  EXPECT_EQ(offline({"rollback", "1"}), 0);
  EXPECT_EQ(offline({"rollback"}), 0);
  EXPECT_EQ(offline({"rollback", "-1"}), 2);
  EXPECT_EQ(offline({"remove", "acme/guard"}), 0);
  EXPECT_EQ(offline({"remove", "acme/guard"}), 66);
  EXPECT_EQ(offline({"release", "acme/guard"}), 66);

  EXPECT_EQ(offline({"configure", "acme/guard"}), 2);
  EXPECT_EQ(offline({"configure", "acme/guard", "--set", "a=1", "--file", "f"}), 2);
  EXPECT_EQ(offline({"configure", "acme/guard", "--file", folder_.path("none")}), 66);
  EXPECT_EQ(offline({"configure", "acme/guard", "--set", "a=1"}), 66);
  EXPECT_EQ(offline({"events"}), 69);
}

TEST_F(PluginVerbTest, AsksBeforeItGrantsPermissions) {
  const std::string package = make_package("network = true");
  EXPECT_EQ(offline({"install", package, "--allow-unsigned"}), 1);
  EXPECT_THAT(out_, HasSubstr("grants: may use the network"));
  EXPECT_THAT(err_, HasSubstr("--yes"));
  EXPECT_EQ(offline({"install", package, "--allow-unsigned"}, "n\n"), 1);
  EXPECT_THAT(err_, HasSubstr("[y/N]"));
  EXPECT_EQ(offline({"list", "--json"}), 0);
  EXPECT_EQ(Json::parse(out_)["plugins"].size(), 0U);
  EXPECT_EQ(offline({"install", package, "--allow-unsigned"}, "Y\n"), 0);
  EXPECT_EQ(offline({"remove", "acme/guard"}), 0);
  EXPECT_EQ(offline({"install", package, "--allow-unsigned", "--yes"}), 0);
}

TEST_F(PluginVerbTest, MakesANewPluginNamedAfterItsFolder) {
  EXPECT_EQ(run({"new", folder_.path("my-filter/")}), 0);
  EXPECT_THAT(out_, HasSubstr("plugin.toml"));
  EXPECT_THAT(err_, HasSubstr("plugin test"));
  EXPECT_EQ(run({"validate", folder_.path("my-filter")}), 0);
  EXPECT_THAT(out_, HasSubstr("local/my-filter"));
  EXPECT_EQ(run({"new", folder_.path("other"), "--id", "acme/other", "--json"}), 0);
  EXPECT_FALSE(Json::parse(out_)["files"].empty());
  EXPECT_EQ(run({"new", folder_.path("other")}), 2);
}

TEST_F(PluginVerbTest, TakesANewPluginThroughItsLife) {
  ASSERT_EQ(run({"new", folder_.path("p1"), "--id", "acme/p1"}), 0);
  EXPECT_EQ(run({"test", folder_.path("p1")}), 0) << out_ << err_;
  EXPECT_THAT(out_, HasSubstr("filter a conversation: replaced by user: 'Hello, write to [masked]'"));
  EXPECT_THAT(out_, HasSubstr("ok      stop"));
  EXPECT_EQ(run({"test", folder_.path("p1"), "--message", "nothing", "--json"}), 0);
  EXPECT_EQ(Json::parse(out_)["steps"][2]["detail"], "passed as it was");
}

TEST_F(PluginVerbTest, SaysAtWhichStepAPluginFails) {
  EXPECT_EQ(run({"test", make_package()}), 70);  // a program that ends at once
  EXPECT_THAT(out_, HasSubstr("FAILED  start and self-test"));
  EXPECT_THAT(out_, Not(HasSubstr("reload")));
  EXPECT_EQ(run({"test", folder_.path("none"), "--json"}), 70);
  EXPECT_FALSE(Json::parse(out_)["ok"]);
}

TEST_F(PluginVerbTest, WorksOnTheServerThatAnswers) {
  const HttpServerFake server([](const auto& request) {
    const bool is_event = request.target == "/admin/plugin-events";
    return HttpServerFake::Reply{
        .status = 200,
        .headers = {},
        .body = is_event ? R"({"events":[{"sequence":1,"plugin":"a/b","from":"starting","to":"active"}]})"
                         : R"({"plugins":[{"id":"a/b"}],"plan":{"steps":[]},"generation":{"number":4}})"};
  });
  EXPECT_EQ(run({"list", "--url", server.url()}), 0);
  EXPECT_THAT(out_, HasSubstr("a/b"));
  EXPECT_EQ(run({"reload", "a/b", "--url", server.url()}), 0);
  EXPECT_THAT(out_, HasSubstr("nothing to do\ngeneration 4\n"));
  EXPECT_EQ(err_, "");
  EXPECT_EQ(run({"events", "--url", server.url()}), 0);
  EXPECT_THAT(out_, HasSubstr("a/b  starting -> active"));
  EXPECT_EQ(run({"events", "--url", server.url(), "--json"}), 0);
  EXPECT_EQ(Json::parse(out_)["to"], "active");
}

TEST_F(PluginVerbTest, WorksOnTheStoreOnlyWhereNoServerWasNamed) {
  environment_ = Environment::of_variables({{"HOME", folder_.path()},
                                            {"LLAMAGPU_PLUGINS", folder_.path("store")},
                                            {"LLAMAGPU_PORT", "9"}});  // nobody listens there
  EXPECT_EQ(run({"list"}), 0);
  EXPECT_EQ(run({"list", "--url", "http://127.0.0.1:9"}), 69);
  const HttpServerFake other(
      [](const auto&) { return HttpServerFake::Reply{.status = 404, .headers = {}, .body = "<html>"}; });
  EXPECT_EQ(run({"list", "--url", other.url()}), 2);
}

}  // namespace
}  // namespace llama_gpu::app
