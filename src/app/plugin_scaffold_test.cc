// SPDX-License-Identifier: Apache-2.0
#include "app/plugin_scaffold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/temporary_folder_fake.h"
#include "plugins/package.h"

namespace llama_gpu::app {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

TEST(PluginScaffoldTest, MakesAPackageThatIsValid) {
  const TemporaryFolder folder;
  const auto files = make_plugin(folder.path("p"), "acme/my-filter");
  ASSERT_TRUE(files.ok()) << files.error().message;
  EXPECT_THAT(*files, Contains(folder.path("p/llama_gpu_plugin/__init__.py")));

  const auto package = plugins::read_package(folder.path("p"));
  ASSERT_TRUE(package.ok()) << package.error().message;
  EXPECT_EQ(package->manifest.id, "acme/my-filter");
  const std::string readme = *read_file(folder.path("p/README.md"), 1 << 20);
  EXPECT_THAT(readme, HasSubstr("# my-filter"));
  EXPECT_THAT(readme, Not(HasSubstr("@NAME@")));
}

TEST(PluginScaffoldTest, TakesNoFolderThatIsInUseAndNoBadId) {
  const TemporaryFolder folder;
  EXPECT_EQ(make_plugin(folder.path("p"), "Acme").error().param, "id");
  folder.write("file", "");
  EXPECT_THAT(make_plugin(folder.path(), "acme/a").error().message, HasSubstr("is not empty"));
  EXPECT_FALSE(make_plugin(folder.path("file/below"), "acme/a").ok());
}

}  // namespace
}  // namespace llama_gpu::app
