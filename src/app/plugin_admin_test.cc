// SPDX-License-Identifier: Apache-2.0
#include "app/plugin_admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>

#include "app/http_server_fake.h"
#include "base/temporary_folder_fake.h"

namespace llama_gpu::app {
namespace {

using Json = PluginAdmin::Json;
using Kind = plugins::PluginChange::Kind;
using testing::HasSubstr;

class RemotePluginsTest : public testing::Test {
 protected:
  const std::atomic<bool> never_ = false;
  const HttpClient http_{Environment(), never_};
};

TEST_F(RemotePluginsTest, AsksTheServersRoutes) {
  const HttpServerFake server([](const auto& request) {
    return HttpServerFake::Reply{
        .status = 200, .headers = {}, .body = Json{{"target", request.target}}.dump()};
  });
  RemotePlugins plugins(http_, remote_server(server.url(), ""));

  EXPECT_EQ((*plugins.list())["target"], "/admin/plugins");
  EXPECT_EQ((*plugins.info("acme/gu ard"))["target"], "/admin/plugins/acme%2Fgu%20ard");
  EXPECT_EQ((*plugins.generations())["target"], "/admin/plugin-generations");
  EXPECT_EQ(plugins.note(), "");
  ASSERT_TRUE(plugins.plan({.kind = Kind::kInstall, .source = "/p", .allows_unsigned = true}).ok());
  ASSERT_TRUE(plugins.apply({.kind = Kind::kConfigure, .plugin = "a/b", .config = R"({"k":1})"}).ok());
  ASSERT_TRUE(plugins.apply({.kind = Kind::kRollback, .generation = 3}).ok());
  const auto requests = server.requests();
  EXPECT_EQ(requests[3].body, R"({"action":"install","source":"/p","allow_unsigned":true,"dry_run":true})");
  EXPECT_EQ(requests[4].body, R"({"action":"configure","plugin":"a/b","config":{"k":1}})");
  EXPECT_EQ(requests[5].body, R"({"action":"rollback","generation":3})");
}

TEST_F(RemotePluginsTest, HandsOnEventsAsAListAndLive) {
  const HttpServerFake server([](const auto& request) {
    const bool is_live = request.headers.at("accept").find("event-stream") != std::string::npos;
    return HttpServerFake::Reply{
        .status = 200,
        .headers = {},
        .body =
            is_live
                ? "id: 1\ndata: {\"sequence\":1}\n\n: keep-alive\n\ndata: nope\n\ndata: {\"sequence\":2}\n\n"
                : R"({"events":[{"sequence":5},{"sequence":6}]})"};
  });
  RemotePlugins plugins(http_, remote_server(server.url(), ""));
  std::vector<int> sequences;
  const auto keep = [&](const Json& event) {
    sequences.push_back(event["sequence"]);
    return sequences.size() < 3;
  };
  EXPECT_TRUE(plugins.events(true, keep).ok());
  EXPECT_TRUE(plugins.events(false, keep).ok());
  EXPECT_EQ(sequences, (std::vector<int>{1, 2, 5}));
}

TEST_F(RemotePluginsTest, PassesOnTheServersErrors) {
  std::string body = R"({"error":{"message":"no such plugin","code":"plugin_not_found"}})";
  int status = 404;
  const HttpServerFake server(
      [&](const auto&) { return HttpServerFake::Reply{.status = status, .headers = {}, .body = body}; });
  RemotePlugins plugins(http_, remote_server(server.url(), ""));
  EXPECT_EQ(plugins.info("a/b").error().code, ErrorCode::kPluginNotFound);
  EXPECT_FALSE(plugins.events(false, [](const Json&) { return true; }).ok());
  status = 200;
  body = "<html>";
  EXPECT_EQ(plugins.list().error().code, ErrorCode::kProtocolError);
  body = "{}";
  EXPECT_TRUE(plugins.events(false, [](const Json&) { return true; }).ok());
}

class StoredPluginsTest : public testing::Test {
 protected:
  std::string make_package(const std::string& version, const std::string& more = "") {
    const std::string folder = folder_.path("package-" + version);
    std::filesystem::create_directories(folder);
    folder_.write("package-" + version + "/run.py", "print(" + version.substr(0, 1) + ")\n");
    folder_.write("package-" + version + "/plugin.toml",
                  "[plugin]\nid = \"acme/guard\"\nversion = \"" + version +
                      "\"\nsummary = \"s\"\nlicense = \"MIT\"\ncommand = [\"python3\", \"run.py\"]\n"
                      "capabilities = [\"request_filter\"]\n[host_api]\nmin = \"1.0.0\"\nmax = \"1.9.0\"\n" +
                      more);
    return folder;
  }
  Result<Json> install(const std::string& version) {
    return plugins_.apply({.kind = Kind::kInstall, .source = make_package(version), .allows_unsigned = true});
  }

  TemporaryFolder folder_;
  const std::string store_ = folder_.path("store");
  StoredPlugins plugins_{store_, false};
};

TEST_F(StoredPluginsTest, IsEmptyWhereThereIsNoFolderAndMakesNone) {
  EXPECT_EQ((*plugins_.list())["plugins"].size(), 0U);
  EXPECT_EQ((*plugins_.generations())["generations"].size(), 0U);
  EXPECT_EQ(plugins_.info("a/b").error().code, ErrorCode::kPluginNotFound);
  EXPECT_FALSE(std::filesystem::exists(store_));
  EXPECT_THAT(plugins_.note(), HasSubstr("next start"));
}

TEST_F(StoredPluginsTest, InstallsWhatIsAllowedAndShowsItStopped) {
  const plugins::PluginChange change{.kind = Kind::kInstall, .source = make_package("1.0.0")};
  const auto planned = plugins_.plan(change);
  ASSERT_TRUE(planned.ok()) << planned.error().message;
  EXPECT_EQ((*planned)["plan"]["steps"][0]["action"], "install");
  EXPECT_TRUE((*planned)["generation"].is_null());
  EXPECT_EQ(plugins_.apply(change).error().code, ErrorCode::kPluginUnsigned);

  const auto done = install("1.0.0");
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ((*done)["generation"]["number"], 1);
  const Json list = *plugins_.list();
  EXPECT_EQ(list["generation"], 1);
  EXPECT_FALSE(list["sandbox"].empty());
  EXPECT_EQ(list["plugins"][0]["state"], "stopped");
  EXPECT_EQ(list["plugins"][0]["reason_code"], "no_server");
  EXPECT_EQ((*plugins_.info("acme/guard"))["manifest"]["license"], "MIT");
  EXPECT_THAT(plugins_.info("acme/gard").error().hint + plugins_.info("acme/gard").error().message,
              HasSubstr("acme/guard"));

  StoredPlugins careless(store_, true);
  EXPECT_TRUE(careless.apply({.kind = Kind::kInstall, .source = make_package("1.1.0")}).ok());
}

TEST_F(StoredPluginsTest, ChangesRollsBackAndRemoves) {
  ASSERT_TRUE(install("1.0.0").ok());
  ASSERT_TRUE(install("1.1.0").ok());
  ASSERT_TRUE(plugins_.apply({.kind = Kind::kDisable, .plugin = "acme/guard"}).ok());
  EXPECT_EQ((*plugins_.info("acme/guard"))["reason_code"], "disable");
  const auto again = plugins_.apply({.kind = Kind::kDisable, .plugin = "acme/guard"});
  EXPECT_EQ((*again)["generation"]["number"], 3);  // nothing to do makes no generation

  ASSERT_TRUE(plugins_.apply({.kind = Kind::kRollback, .generation = 1}).ok());
  EXPECT_EQ((*plugins_.info("acme/guard"))["version"], "1.0.0");
  ASSERT_TRUE(plugins_.apply({.kind = Kind::kRemove, .plugin = "acme/guard"}).ok());
  EXPECT_EQ((*plugins_.list())["plugins"].size(), 0U);
  EXPECT_EQ((*plugins_.generations())["current"], 5);
  EXPECT_FALSE(plugins_.apply({.kind = Kind::kRollback, .generation = 99}).ok());
}

TEST_F(StoredPluginsTest, ShowsAndReleasesWhatIsQuarantined) {
  ASSERT_TRUE(install("1.0.0").ok());
  EXPECT_EQ(plugins_.apply({.kind = Kind::kRelease, .plugin = "acme/guard"}).error().code,
            ErrorCode::kPluginNotFound);
  const std::string digest = (*plugins_.info("acme/guard"))["digest"];
  {
    auto store = plugins::GenerationStore::open(store_, plugins::GenerationStore::Mode::kWrite);
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE(store->quarantine({digest, "acme/guard", "1.0.0", "it crashed", 1}).ok());
  }
  EXPECT_EQ((*plugins_.info("acme/guard"))["state"], "quarantined");
  EXPECT_EQ((*plugins_.list())["quarantined"][0]["reason"], "it crashed");
  const auto released = plugins_.apply({.kind = Kind::kRelease, .plugin = "acme/guard"});
  ASSERT_TRUE(released.ok());
  EXPECT_EQ((*released)["plan"]["steps"][0]["action"], "release");
  EXPECT_EQ((*plugins_.info("acme/guard"))["state"], "stopped");
}

TEST_F(StoredPluginsTest, SaysWhatOnlyAServerCanDo) {
  ASSERT_TRUE(install("1.0.0").ok());
  EXPECT_EQ(plugins_.plan({.kind = Kind::kReload, .plugin = "acme/guard"}).error().code,
            ErrorCode::kServerUnreachable);
  EXPECT_EQ(plugins_.events(false, {}).error().code, ErrorCode::kServerUnreachable);
}

TEST_F(StoredPluginsTest, ChangesNothingThatAServerUses) {
  ASSERT_TRUE(install("1.0.0").ok());
  const auto server = plugins::GenerationStore::open(store_, plugins::GenerationStore::Mode::kWrite);
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(plugins_.apply({.kind = Kind::kRemove, .plugin = "acme/guard"}).error().code,
            ErrorCode::kPluginStoreBusy);
  EXPECT_EQ((*plugins_.list())["plugins"].size(), 1U);
}

TEST_F(StoredPluginsTest, ListsAPluginWhosePackageIsGone) {
  ASSERT_TRUE(install("1.0.0").ok());
  std::filesystem::remove_all(store_ + "/packages");
  const auto plugin = plugins_.info("acme/guard");
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  EXPECT_EQ((*plugin)["state"], "failed");
  EXPECT_TRUE((*plugin)["manifest"].is_null());
}

}  // namespace
}  // namespace llama_gpu::app
