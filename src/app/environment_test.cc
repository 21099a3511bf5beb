// SPDX-License-Identifier: Apache-2.0
#include "app/environment.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace llama_gpu::app {
namespace {

TEST(Environment, CountsAnEmptyVariableAsAbsent) {
  const Environment environment({{"A", "1"}, {"B", ""}});

  EXPECT_EQ(environment.get("A"), "1");
  EXPECT_EQ(environment.get("B"), "");
  EXPECT_EQ(environment.get("C"), "");
}

TEST(Environment, FindsTheXdgFolders) {
  const Environment plain({{"HOME", "/home/me"}});
  const Environment set({{"HOME", "/home/me"}, {"XDG_DATA_HOME", "/data"}, {"XDG_CONFIG_HOME", "relative"}});

  EXPECT_EQ(plain.config_home(), "/home/me/.config");
  EXPECT_EQ(plain.data_home(), "/home/me/.local/share");
  EXPECT_EQ(plain.state_home(), "/home/me/.local/state");
  EXPECT_EQ(set.data_home(), "/data");
  EXPECT_EQ(set.config_home(), "/home/me/.config");
}

TEST(Environment, ExpandsOnlyTheFrontOfAPath) {
  const Environment environment({{"HOME", "/home/me"}});

  EXPECT_EQ(environment.expand_path("~/models"), "/home/me/models");
  EXPECT_EQ(environment.expand_path("~"), "/home/me");
  EXPECT_EQ(environment.expand_path("$XDG_DATA_HOME/x"), "/home/me/.local/share/x");
  EXPECT_EQ(environment.expand_path("$HOME/x"), "/home/me/x");
  EXPECT_EQ(environment.expand_path("/a/~/$HOME"), "/a/~/$HOME");
  EXPECT_EQ(environment.expand_path("~other/x"), "~other/x");
}

TEST(Environment, OfThisProcessHasAHome) {
  ::setenv("LLAMAGPU_TEST_VARIABLE", "a=b", 1);

  const Environment environment = Environment::of_process();

  EXPECT_EQ(environment.get("LLAMAGPU_TEST_VARIABLE"), "a=b");
  EXPECT_NE(environment.get("HOME"), "");
  ::unsetenv("LLAMAGPU_TEST_VARIABLE");
}

}  // namespace
}  // namespace llama_gpu::app
