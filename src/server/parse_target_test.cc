// SPDX-License-Identifier: Apache-2.0
#include "server/parse_target.h"

#include <gtest/gtest.h>

#include <string>

namespace llama_gpu::server {
namespace {

TEST(ParseTarget, SplitsPathAndQuery) {
  const auto target = parse_target("/v1/models?a=b?c");

  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target->path, "/v1/models");
  EXPECT_EQ(target->query, "a=b?c");
  EXPECT_EQ(target->authority, "");
}

TEST(ParseTarget, TakesAnAbsoluteUri) {
  EXPECT_EQ(parse_target("HTTP://localhost:1/x?y")->authority, "localhost:1");
  EXPECT_EQ(parse_target("http://localhost:1/x?y")->path, "/x");
  EXPECT_EQ(parse_target("http://localhost")->path, "/");
}

TEST(ParseTarget, LeavesThePathAsItIs) {
  EXPECT_EQ(parse_target("/v1/models/a%2Fb")->path, "/v1/models/a%2Fb");
  EXPECT_EQ(parse_target("//v1/../x;y")->path, "//v1/../x;y");
  EXPECT_EQ(parse_target("*")->path, "*");
}

TEST(ParseTarget, RefusesWhatIsNoPath) {
  for (const std::string_view target :
       {"", "v1", "?a", "http:///x", "https://localhost/", "ftp://x/", "/a b", "/a\tb", "/\xC3\xA9", "/%",
        "/%4", "/%zz", "/%00", "/%0a", "/%7F", "/%ff", "/a#b", "**"}) {
    const auto parsed = parse_target(target);
    ASSERT_FALSE(parsed.ok()) << target;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidRequest);
  }
  EXPECT_FALSE(parse_target(std::string_view("/a\0b", 4)).ok());
}

TEST(PercentDecoded, DecodesUtf8) {
  EXPECT_EQ(percent_decoded("a%2Fb%c3%A9"), "a/bé");
  EXPECT_EQ(percent_decoded(""), "");
}

TEST(ParseHost, ReadsNamesAndAddresses) {
  EXPECT_EQ(parse_host("LocalHost:8484")->host, "localhost");
  EXPECT_EQ(parse_host("localhost:8484")->port, "8484");
  EXPECT_EQ(parse_host("[::1]:80")->host, "::1");
  EXPECT_EQ(parse_host("[::1]")->port, "");
  EXPECT_TRUE(parse_host("10.1.2.3")->is_ip);
  EXPECT_FALSE(parse_host("10.1.2.3.4")->is_ip);
  EXPECT_FALSE(parse_host("0x7f.1")->is_ip);
}

TEST(ParseHost, RefusesWhatIsNoHost) {
  for (const std::string_view host :
       {"", ":80", "a b", "a/b", "a@b", "::1", "[::1", "[::1]x", "[x]", "a:80:90", "a:x", "a:99999",
        "a:123456", "é", "a,b", "[::1]:x", "a:-1", "a:+1"}) {
    EXPECT_FALSE(parse_host(host).has_value()) << host;
  }
}

TEST(IsLoopback, KnowsThisMachineByNameAndAddress) {
  for (const std::string_view host : {"localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9", "[::1]:2"}) {
    EXPECT_TRUE(is_loopback(*parse_host(host))) << host;
  }
  for (const std::string_view host : {"127.evil.com", "localhost.evil.com", "localhost.", "0.0.0.0",
                                      "127.0.0.1.evil.com", "1.2.3.4", "[::2]"}) {
    EXPECT_FALSE(is_loopback(*parse_host(host))) << host;
  }
}

}  // namespace
}  // namespace llama_gpu::server
