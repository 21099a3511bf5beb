// SPDX-License-Identifier: Apache-2.0
#include "server/static_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

namespace llama_gpu::server {
namespace {

using testing::HasSubstr;

constexpr std::array<Asset, 2> kAssets = {{
    {.path = "/index.html", .content_type = "text/html; charset=utf-8", .etag = "\"i\"", .content = "<page>"},
    {.path = "/assets/a-1.js",
     .content_type = "text/javascript",
     .etag = "\"a\"",
     .content = "js",
     .is_immutable = true},
}};

TEST(StaticPages, ServesFilesWithTheirHeaders) {
  const auto file = static_page(kAssets, "/assets/a-1.js", {});

  ASSERT_TRUE(file);
  EXPECT_EQ(file->status, 200);
  EXPECT_EQ(file->content_type, "text/javascript");
  EXPECT_EQ(file->body, "js");
  EXPECT_EQ(file->headers.find("ETag"), "\"a\"");
  EXPECT_THAT(std::string(*file->headers.find("Cache-Control")), HasSubstr("immutable"));
}

TEST(StaticPages, AsksForThePageAnewEachTime) {
  EXPECT_EQ(static_page(kAssets, "/chat", {})->headers.find("Cache-Control"), "no-cache");
}

TEST(StaticPages, SendsNothingTwice) {
  HttpRequest request;
  request.headers.add("If-None-Match", "\"a\"");
  const auto file = static_page(kAssets, "/assets/a-1.js", request);

  EXPECT_EQ(file->status, 304);
  EXPECT_EQ(file->body, "");
}

TEST(StaticPages, HasNoPageForTheApiOrForTricks) {
  for (const std::string_view path :
       {"/v1", "/v1/x", "/V1/x", "/admin", "/Admin/x", "/api/x", "//", "/..", "/a/../b", "/%2e%2e/x", "/a\\b",
        "/a;b", "/.git/config", "/x.js", "/a/b.map", "*"}) {
    EXPECT_FALSE(static_page(kAssets, path, {})) << path;
  }
  EXPECT_TRUE(static_page(kAssets, "/v10", {}));
}

TEST(StaticPages, SaysSoWhereThereIsNoDashboard) {
  const auto page = static_page({}, "/", {});

  EXPECT_EQ(page->content_type, "text/plain; charset=utf-8");
  EXPECT_THAT(page->body, HasSubstr("has no dashboard"));
  EXPECT_FALSE(static_page({}, "/chat", {}));
}

}  // namespace
}  // namespace llama_gpu::server
