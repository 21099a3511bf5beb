// SPDX-License-Identifier: Apache-2.0
#include "app/serve_plugins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "app/console_fake.h"
#include "app/plugin_admin.h"
#include "base/temporary_folder_fake.h"
#include "server/model_host_fake.h"

namespace llama_gpu::app {
namespace {

using plugins::GenerationStore;
using testing::HasSubstr;

class ServedPluginsTest : public testing::Test {
 protected:
  ServedPluginsTest() { settings_.plugins.dir = folder_.path("store"); }

  // What a server would be given.
  Result<server::ServerParts> start() {
    auto started = ServedPlugins::start(settings_, LLAMAGPU_TEST_PROGRAM, console_.console);
    if (!started.ok()) return started.error();
    served_ = std::make_unique<ServedPlugins>(*std::move(started));
    server::ServerParts parts{.host = host_, .metrics = metrics_};
    served_->connect(parts);
    return parts;
  }

  // Of a program that ends at once, disabled.
  void install_a_plugin() {
    std::filesystem::create_directories(folder_.path("p"));
    folder_.write("p/run.py", "");
    folder_.write("p/plugin.toml",
                  "[plugin]\nid = \"acme/guard\"\nversion = \"1.0.0\"\nsummary = \"s\"\nlicense = \"MIT\"\n"
                  "command = [\"python3\", \"run.py\"]\ncapabilities = [\"request_filter\"]\n"
                  "[host_api]\nmin = \"1.0.0\"\nmax = \"1.9.0\"\n");
    StoredPlugins store(settings_.plugins.dir, true);
    using Kind = plugins::PluginChange::Kind;
    ASSERT_TRUE(store.apply({.kind = Kind::kInstall, .source = folder_.path("p")}).ok());
    ASSERT_TRUE(store.apply({.kind = Kind::kDisable, .plugin = "acme/guard"}).ok());
  }

  TemporaryFolder folder_;
  Settings settings_;
  ConsoleFake console_;
  server::FakeModelHost host_;
  telemetry::Registry metrics_;
  std::unique_ptr<ServedPlugins> served_;
};

TEST_F(ServedPluginsTest, ConnectsTheServerWithItsPlugins) {
  install_a_plugin();
  const auto parts = start();
  ASSERT_TRUE(parts.ok()) << parts.error().message;
  ASSERT_NE(parts->plugins, nullptr);
  EXPECT_NE(parts->filter, nullptr);
  EXPECT_FALSE(parts->sandbox.empty());
  EXPECT_EQ(parts->plugins->list()[0].id, "acme/guard");
  served_->stop();
  served_->stop();  // and once more when it is destroyed
}

TEST_F(ServedPluginsTest, HasNoneWhereTheyAreSwitchedOff) {
  settings_.plugins.enabled = false;
  const auto parts = start();
  ASSERT_TRUE(parts.ok());
  EXPECT_EQ(parts->plugins, nullptr);
  EXPECT_EQ(parts->filter, nullptr);
  EXPECT_FALSE(std::filesystem::exists(settings_.plugins.dir));
}

TEST_F(ServedPluginsTest, DoesWithoutWhereAnotherServerHasAnEmptyStore) {
  const auto other = GenerationStore::open(settings_.plugins.dir, GenerationStore::Mode::kWrite);
  ASSERT_TRUE(other.ok());
  const auto parts = start();
  ASSERT_TRUE(parts.ok());
  EXPECT_EQ(parts->plugins, nullptr);
  EXPECT_THAT(console_.err.str(), HasSubstr("plugins.dir"));
}

TEST_F(ServedPluginsTest, DoesNotStartWithoutThePluginsOfAStoreThatIsInUse) {
  install_a_plugin();
  const auto other = GenerationStore::open(settings_.plugins.dir, GenerationStore::Mode::kWrite);
  ASSERT_TRUE(other.ok());
  const auto parts = start();
  ASSERT_FALSE(parts.ok());
  EXPECT_EQ(parts.error().code, ErrorCode::kPluginStoreBusy);
}

TEST_F(ServedPluginsTest, DoesNotStartWithAStoreThatCannotBeRead) {
  install_a_plugin();
  folder_.write("store/current", "nonsense");
  EXPECT_EQ(start().error().code, ErrorCode::kPluginStoreInvalid);
}

}  // namespace
}  // namespace llama_gpu::app
