// SPDX-License-Identifier: Apache-2.0
#include "app/plugin_filter.h"

#include <gtest/gtest.h>

#include <optional>

#include "plugins/plugin_manager_fake.h"

namespace llama_gpu::app {
namespace {

using plugins::FakePluginManager;
using plugins::FilterableText;
using plugins::PluginState;

TEST(PluginFilterTest, HandsRequestsToThePlugins) {
  FakePluginManager plugins;
  PluginFilter filter(plugins);
  EXPECT_FALSE(filter.is_active());
  plugins.set_filter([](const plugins::FilterCall& call) -> Result<FilterableText> {
    return FilterableText(std::get<std::string>(call.text) + " of " + call.model + " " + call.request_id);
  });
  EXPECT_TRUE(filter.is_active());

  std::optional<Result<server::FilterText>> answer;
  filter.filter({"req", "m", std::string("text")}, [&](Result<server::FilterText> text) { answer = text; });
  ASSERT_TRUE(answer && answer->ok());
  EXPECT_EQ(std::get<std::string>(**answer), "text of m req");
}

TEST(PluginFilterTest, MustSeeAllWhereAnEnabledFilterFailsClosed) {
  FakePluginManager plugins;
  const PluginFilter filter(plugins);
  auto open = FakePluginManager::make_status("a/open");
  auto closed = FakePluginManager::make_status("a/closed", PluginState::kFailed);
  closed.manifest->failure_policy = plugins::FailurePolicy::kClosed;
  auto listener = closed, disabled = closed, unknown = closed;
  listener.manifest->capabilities = {plugins::Capability::kEventListener};
  disabled.is_enabled = false;
  unknown.manifest.reset();

  plugins.set_plugins({open, listener, disabled});
  EXPECT_FALSE(filter.must_see_all());
  plugins.set_plugins({open, closed});
  EXPECT_TRUE(filter.must_see_all());
  plugins.set_plugins({open, unknown});
  EXPECT_TRUE(filter.must_see_all()) << "it may be a filter that fails closed";
}

}  // namespace
}  // namespace llama_gpu::app
