// SPDX-License-Identifier: Apache-2.0
#include "app/setting_checks.h"

#include <gtest/gtest.h>

namespace llama_gpu::app {
namespace {

std::string host(std::string_view text) {
  return checked_text(SettingCheck::kHost, text).value_or("refused");
}

TEST(SettingChecks, TakeHostsByNameAndAddress) {
  for (const char* plain :
       {"127.0.0.1", "localhost", "0.0.0.0", "::", "::1", "my-host.example", "fe80::1%eth0"}) {
    EXPECT_EQ(host(plain), plain);
  }
  EXPECT_EQ(host("[::1]"), "::1");
  EXPECT_EQ(host("[fe80::1%eth0]"), "fe80::1%eth0");
}

TEST(SettingChecks, RefuseHostsWithMoreThanThat) {
  for (const char* other :
       {"", "127.0.0.1:8484", "localhost:", "http://127.0.0.1", "http://127.0.0.1:8484/v1", "[::1]:8484",
        "[localhost]", "[::1", "a b", "::x::"}) {
    EXPECT_EQ(host(other), "refused") << other;
  }
}

TEST(SettingChecks, TakeAliasesThatNameAModel) {
  EXPECT_TRUE(checked_text(SettingCheck::kAlias, "mine=smollm"));
  for (const char* other : {"", "mine", "=smollm", "mine=", "a\nb=c"}) {
    EXPECT_FALSE(checked_text(SettingCheck::kAlias, other)) << other;
  }
}

TEST(SettingChecks, AskForNoMoreThanIsDeclared) {
  EXPECT_FALSE(checked_text(SettingCheck::kNotEmpty, ""));
  EXPECT_EQ(checked_text(SettingCheck::kNotEmpty, "/models"), "/models");
  EXPECT_EQ(checked_text(SettingCheck::kNone, ""), "");
  EXPECT_EQ(expected_by(SettingCheck::kNone), "");
}

}  // namespace
}  // namespace llama_gpu::app
