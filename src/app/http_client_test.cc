// SPDX-License-Identifier: Apache-2.0
#include "app/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/http_server_fake.h"

namespace llama_gpu::app {
namespace {

using ::testing::HasSubstr;
using Reply = HttpServerFake::Reply;
using Request = HttpServerFake::Request;

class HttpClientTest : public ::testing::Test {
 protected:
  std::atomic<bool> cancelled_ = false;
  HttpClient http_{Environment(), cancelled_};
};

TEST_F(HttpClientTest, GetsStatusHeadersAndBody) {
  const HttpServerFake server([](const Request&) { return Reply{404, {"X-Thing:  some Value "}, "gone"}; });

  const Result<HttpResponse> response =
      http_.send({.url = server.url() + "/a?b=c", .body = {}, .headers = {"X-Asked: 1"}});

  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(response->header("x-thing"), "some Value");
  EXPECT_EQ(response->header("x-other"), "");
  EXPECT_EQ(response->body, "gone");
  EXPECT_EQ(server.requests()[0].method, "GET");
  EXPECT_EQ(server.requests()[0].target, "/a?b=c");
  EXPECT_EQ(server.requests()[0].headers.at("x-asked"), "1");
}

TEST_F(HttpClientTest, AsksForHeadersAlone) {
  const HttpServerFake server([](const Request&) { return Reply{200, {}, "body"}; });

  const Result<HttpResponse> response =
      http_.send({.url = server.url() + "/", .body = {}, .headers = {}, .is_head = true});

  ASSERT_TRUE(response.ok());
  EXPECT_EQ(server.requests()[0].method, "HEAD");
  EXPECT_EQ(response->header("content-length"), "4");
  EXPECT_EQ(response->body, "");
}

TEST_F(HttpClientTest, PostsABody) {
  const HttpServerFake server([](const Request&) { return Reply{}; });

  ASSERT_TRUE(http_.send({.url = server.url() + "/", .body = std::string("a\0b", 3), .headers = {}}).ok());

  EXPECT_EQ(server.requests()[0].method, "POST");
  EXPECT_EQ(server.requests()[0].body, std::string("a\0b", 3));
}

TEST_F(HttpClientTest, HandsTheBodyOnUntilTheReaderHasEnough) {
  const HttpServerFake server([](const Request&) { return Reply{200, {}, std::string(1 << 20, 'x')}; });
  size_t num_bytes = 0;
  HttpRequest request{.url = server.url() + "/", .body = {}, .headers = {}};
  request.on_body = [&](const HttpResponse& so_far, std::string_view bytes) {
    EXPECT_EQ(so_far.status, 200);
    num_bytes += bytes.size();
    return false;
  };

  EXPECT_TRUE(http_.send(request).ok());

  EXPECT_GT(num_bytes, 0U);
  EXPECT_LT(num_bytes, size_t{1} << 20);
}

TEST_F(HttpClientTest, KeepsAnErrorBodyFromTheReaderAndBounded) {
  const HttpServerFake server([](const Request&) { return Reply{500, {}, std::string(1 << 20, 'x')}; });
  HttpRequest request{.url = server.url() + "/", .body = {}, .headers = {}};
  request.on_body = [](const HttpResponse&, std::string_view) { return ADD_FAILURE(), true; };

  EXPECT_EQ(http_.send(request)->body.size(), size_t{64} << 10);
}

TEST_F(HttpClientTest, TellsABrokenTransferFromAMissingServer) {
  std::string gone;
  {
    gone = HttpServerFake([](const Request&) { return Reply{}; }).url();
  }
  const HttpServerFake server([](const Request&) { return Reply{200, {}, "0123456789", 5}; });

  EXPECT_EQ(http_.send({.url = gone + "/", .body = {}, .headers = {}}).error().code,
            ErrorCode::kServerUnreachable);
  EXPECT_EQ(http_.send({.url = server.url() + "/", .body = {}, .headers = {}}).error().code,
            ErrorCode::kDownloadFailed);
}

TEST_F(HttpClientTest, FollowsNoRedirectToPlainHttp) {
  const HttpServerFake server(
      [](const Request&) { return Reply{302, {"Location: http://127.0.0.1:1/x"}, ""}; });
  HttpRequest request{.url = server.url() + "/", .body = {}, .headers = {}};

  EXPECT_EQ(http_.send(request)->status, 302);
  request.follow_redirects = true;
  EXPECT_FALSE(http_.send(request).ok());
}

TEST_F(HttpClientTest, SpeaksPlainHttpToOthersOnlyWhereItMay) {
  const HttpServerFake server([](const Request&) { return Reply{}; });
  // Reaches this machine, but does not say so.
  HttpRequest request{.url = "http://0.0.0.0" + server.url().substr(16) + "/", .body = {}, .headers = {}};

  EXPECT_EQ(http_.send(request).error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(server.requests().size(), 0U);
  request.allow_plain_http = true;
  EXPECT_TRUE(http_.send(request).ok());
  request.url = "ftp://0.0.0.0/";
  EXPECT_FALSE(http_.send(request).ok());
}

TEST_F(HttpClientTest, EndsWhenItIsCancelled) {
  const HttpServerFake server([&](const Request&) { return cancelled_ = true, Reply{200, {}, "x"}; });

  EXPECT_EQ(http_.send({.url = server.url() + "/", .body = {}, .headers = {}}).error().code,
            ErrorCode::kCancelled);
}

TEST_F(HttpClientTest, NeedsTheCertificatesThatTheEnvironmentNames) {
  const HttpClient http(Environment({{"SSL_CERT_FILE", "/nonexistent/ca.pem"}}), cancelled_);
  const HttpServerFake server([](const Request&) { return Reply{}; });
  const std::string https = "https" + server.url().substr(4);

  EXPECT_EQ(http.send({.url = https + "/", .body = {}, .headers = {}}).error().code,
            ErrorCode::kDownloadFailed);
}

TEST(AllowedUrl, IsHttpsOrThisMachine) {
  for (const char* url : {"https://example.org/x", "HTTPS://example.org", "http://127.0.0.1:8484",
                          "http://localhost/x", "http://[::1]:80/"}) {
    EXPECT_TRUE(is_allowed_url(url)) << url;
  }
  for (const char* url : {"http://example.org", "ftp://127.0.0.1/x", "file:///etc/passwd", "https://",
                          "example.org", "", "http://127.0.0.1@example.org/", "http://localhost.example.org",
                          "http://127.evil.com", "http://127.0.0.1.evil.com", "http://[::2]/"}) {
    EXPECT_FALSE(is_allowed_url(url)) << url;
  }
}

}  // namespace
}  // namespace llama_gpu::app
