// SPDX-License-Identifier: Apache-2.0
#include "server/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/clock_fake.h"
#include "base/log.h"
#include "server/json_reader.h"
#include "server/model_host_fake.h"
#include "server/response_writer_fake.h"
#include "server/routes.gen.h"
#include "server/server_context.h"

namespace llama_gpu::server {
namespace {

using testing::HasSubstr;

constexpr Asset kIndex{
    .path = "/index.html", .content_type = "text/html", .etag = "\"1\"", .content = "<html>"};

class DispatcherTest : public testing::Test {
 protected:
  static HttpRequest request(std::string_view method, std::string target) {
    HttpRequest request;
    request.method_name = method;
    request.method = Method::kOther;
    for (const Method known : {Method::kGet, Method::kHead, Method::kPost, Method::kPut, Method::kDelete,
                               Method::kPatch, Method::kOptions}) {
      if (method_name(known) == method) request.method = known;
    }
    request.target = std::move(target);
    request.headers.add("Host", "localhost");
    return request;
  }

  static HttpRequest json_post(std::string target) {
    HttpRequest post = request("POST", std::move(target));
    post.headers.add("Content-Type", "application/json; charset=utf-8");
    post.content_length = 2;
    return post;
  }

  void use(ServerOptions options) {
    options_ = std::move(options);
    context_.reset(new ServerContext{.options = options_,
                                     .host = host_,
                                     .metrics = metrics_,
                                     .assets = {&kIndex, 1},
                                     .clock = clock_,
                                     .access = AccessControl(options_)});
  }

  Admission admitted(const HttpRequest& request) {
    if (!context_) use({});
    return admit(*context_, request);
  }

  // The status of the refusal; 0 where a route was found.
  int status_of(const HttpRequest& request) {
    const Admission admission = admitted(request);
    return admission.route != nullptr ? 0 : admission.answer->status;
  }

  FakeModelHost host_;
  telemetry::Registry metrics_;
  FakeClock clock_;
  ServerOptions options_;
  std::unique_ptr<ServerContext> context_;
};

// A path that the pattern fits.
std::string path_of(const Route& route, std::string_view argument) {
  std::string path(route.pattern);
  if (const size_t place = path.find("{id}"); place != std::string::npos) path.replace(place, 4, argument);
  return path;
}

TEST_F(DispatcherTest, FindsEveryDeclaredRoute) {
  for (const Route& route : kRoutes) {
    const std::string path = path_of(route, "a%2Fb/c");
    const Admission admission =
        admitted(route.method == Method::kPost ? json_post(path) : request(method_name(route.method), path));

    ASSERT_NE(admission.route, nullptr) << path;
    EXPECT_EQ(admission.route->operation_id, route.operation_id);
    EXPECT_EQ(admission.argument, route.pattern.find("{id}") != std::string_view::npos ? "a/b/c" : "");
  }
}

TEST_F(DispatcherTest, TakesTheRouteWithTheLongestLiteralText) {
  const auto operation_of = [this](const std::string& path) {
    const Admission admission = admitted(request("GET", path));
    return admission.route == nullptr ? "" : std::string(admission.route->operation_id);
  };
  EXPECT_EQ(operation_of("/admin/plugins/acme/guard"), "getPlugin");
  EXPECT_EQ(operation_of("/admin/plugins/acme/guard/health"), "getPluginHealth");
  EXPECT_EQ(admitted(request("GET", "/admin/plugins/acme%2Fguard/health")).argument, "acme/guard");
  EXPECT_EQ(admitted(request("GET", "/admin/plugins/health/health/health")).argument, "health/health");
  EXPECT_EQ(operation_of("/admin/plugins/health"), "getPlugin");  // nothing is left to stand for {id}
  EXPECT_EQ(operation_of("/admin/plugins/"), "");
  EXPECT_EQ(operation_of("/admin/plugins/%ff/health"), "");
  // The path of a change is not a plugin's, whatever the method.
  const Admission other = admitted(request("GET", "/admin/plugins/changes"));
  ASSERT_TRUE(other.answer);
  EXPECT_EQ(other.answer->status, 405);
  EXPECT_EQ(other.answer->headers.find("Allow"), "POST");
}

TEST_F(DispatcherTest, RefusesEveryRouteWithoutItsKeyButThePublicOnes) {
  use({.api_keys = {"k"}});
  for (const Route& route : kRoutes) {
    const std::string path = path_of(route, "x");
    HttpRequest asked =
        route.method == Method::kPost ? json_post(path) : request(method_name(route.method), path);

    EXPECT_EQ(status_of(asked), route.access == Access::kPublic ? 0 : 401) << path;
    asked.headers.add("Authorization", "Bearer k");
    EXPECT_EQ(status_of(asked), 0) << path;
  }
}

TEST_F(DispatcherTest, AsksForTheKeyHoweverThePathIsWritten) {
  use({.api_keys = {"k"}});
  for (const std::string path : {"http://localhost/v1/models", "/v1/models?x", "/v1/models/x"}) {
    EXPECT_EQ(status_of(request("GET", path)), 401) << path;
  }
  for (const std::string path :
       {"//v1/models", "/v1//models", "/v1/models/", "/V1/models", "/v1/../v1/models", "/%76%31/models",
        "/v1/models;x", "/./v1/models", "/v1%2fmodels"}) {
    EXPECT_EQ(status_of(request("GET", path)), 404) << path;
  }
}

TEST_F(DispatcherTest, AnswersUnknownPathsOfTheApiInJson) {
  for (const std::string path :
       {"/v1", "/v1/", "/v1/nope", "/admin", "/admin/x", "/api/chat", "/API/x", "/favicon.xyz"}) {
    for (const std::string_view method : {"GET", "POST", "BREW"}) {
      const Admission admission = admitted(request(method, path));
      EXPECT_EQ(admission.answer->status, 404) << path;
      EXPECT_EQ(admission.answer->content_type, "application/json");
    }
  }
}

TEST_F(DispatcherTest, NamesTheMethodsOfARoute) {
  const Admission get = admitted(request("GET", "/v1/chat/completions"));
  EXPECT_EQ(get.answer->status, 405);
  EXPECT_EQ(get.answer->headers.find("Allow"), "POST");

  const Admission trace = admitted(request("TRACE", "/health"));
  EXPECT_EQ(trace.answer->status, 405);
  EXPECT_EQ(trace.answer->headers.find("Allow"), "GET, HEAD");
  EXPECT_EQ(status_of(request("DELETE", "/")), 405);
}

TEST_F(DispatcherTest, AnswersHeadLikeGet) { EXPECT_EQ(status_of(request("HEAD", "/v1/models")), 0); }

// No CORS: a page of another origin, of this machine too, gets no leave to read answers or to send JSON.
TEST_F(DispatcherTest, AnswersNoPreflight) {
  for (const std::string path : {"/v1/chat/completions", "/v1/nope", "*"}) {
    HttpRequest preflight = request("OPTIONS", path);
    preflight.headers.add("Origin", "http://localhost:5173");
    preflight.headers.add("Access-Control-Request-Method", "POST");
    const Admission admission = admitted(preflight);

    EXPECT_EQ(admission.answer->status, path == "/v1/chat/completions" ? 405 : 404);
    EXPECT_EQ(admission.answer->content_type, "application/json");
    EXPECT_EQ(admission.answer->headers.find("Access-Control-Allow-Methods"), std::nullopt);
    EXPECT_EQ(admission.common.find("Access-Control-Allow-Origin"), std::nullopt);
  }
}

TEST_F(DispatcherTest, GivesOtherSitesNothing) {
  for (const std::string_view method : {"OPTIONS", "GET", "POST"}) {
    HttpRequest asked = request(method, "/v1/models");
    asked.headers.add("Origin", "http://evil.com");
    asked.headers.add("Access-Control-Request-Method", "GET");
    const Admission admission = admitted(asked);

    EXPECT_EQ(admission.answer->status, 403);
    EXPECT_EQ(admission.common.find("Access-Control-Allow-Origin"), std::nullopt);
  }
}

TEST_F(DispatcherTest, GivesAReboundNameNothing) {
  HttpRequest rebound;
  rebound.target = "/v1/models";
  rebound.headers.add("Host", "evil.com");
  rebound.headers.add("Origin", "http://evil.com");
  const Admission admission = admitted(rebound);

  EXPECT_EQ(admission.answer->status, 403);
  EXPECT_EQ(admission.common.find("Access-Control-Allow-Origin"), std::nullopt);
}

TEST_F(DispatcherTest, EndsTheConnectionOfARequestThatIsNotHttp) {
  HttpRequest nameless = request("GET", "/livez");
  nameless.headers = {};
  HttpRequest two_names = request("GET", "/livez");
  two_names.headers.add("Host", "localhost");
  for (const HttpRequest& malformed : {nameless, two_names, request("GET", "livez")}) {
    const Admission admission = admitted(malformed);
    EXPECT_EQ(admission.answer->status, 400);
    EXPECT_TRUE(admission.is_last);
  }
  EXPECT_FALSE(admitted(request("GET", "/nope")).is_last);
}

TEST_F(DispatcherTest, WantsJsonOnWrites) {
  for (const std::string type : {"text/plain", "multipart/form-data; boundary=x",
                                 "application/x-www-form-urlencoded", "", "application/jsonx", "text/json"}) {
    HttpRequest post = request("POST", "/v1/completions");
    post.headers.add("Content-Type", type);
    EXPECT_EQ(status_of(post), 415) << type;
  }
  EXPECT_EQ(status_of(request("POST", "/v1/completions")), 415);
  HttpRequest twice = json_post("/v1/completions");
  twice.headers.add("Content-Type", "application/json");
  EXPECT_EQ(status_of(twice), 415);
}

TEST_F(DispatcherTest, RefusesCompressedBodies) {
  for (const std::string encoding : {"gzip", "deflate", "br", "zstd", "gzip, gzip", "unknown"}) {
    HttpRequest post = json_post("/v1/completions");
    post.headers.add("Content-Encoding", encoding);
    EXPECT_EQ(status_of(post), 415) << encoding;
  }
  HttpRequest plain = json_post("/v1/completions");
  plain.headers.add("Content-Encoding", "identity");
  EXPECT_EQ(status_of(plain), 0);
}

TEST_F(DispatcherTest, RefusesLargeBodiesBeforeTheyCome) {
  use({.max_body_bytes = 100});
  HttpRequest post = json_post("/v1/completions");
  post.content_length = 100;
  EXPECT_EQ(status_of(post), 0);
  post.content_length = 101;
  EXPECT_EQ(status_of(post), 413);
  HttpRequest get = request("GET", "/health");
  get.content_length = 1;
  EXPECT_EQ(status_of(get), 413);
  get.content_length = std::nullopt;
  get.is_chunked = true;
  EXPECT_EQ(status_of(get), 413);
}

TEST_F(DispatcherTest, ServesThePageForDeepLinksOnly) {
  for (const std::string path : {"/", "/index.html", "/chat", "/overview/now"}) {
    const Admission admission = admitted(request("GET", path));
    EXPECT_EQ(admission.answer->status, 200) << path;
    EXPECT_EQ(admission.answer->body, "<html>");
    EXPECT_THAT(std::string(*admission.answer->headers.find("Content-Security-Policy")),
                HasSubstr("frame-ancestors 'none'"));
  }
}

TEST_F(DispatcherTest, KeepsASafeRequestIdAndReplacesOthers) {
  HttpRequest asked = request("GET", "/health");
  asked.headers.add("X-Request-Id", "abc-1_2.Z");
  EXPECT_EQ(admitted(asked).common.find("x-request-id"), "abc-1_2.Z");

  for (const std::string& id :
       {std::string(), std::string("a b"), std::string("a\"b"), std::string("é"), std::string(65, 'a')}) {
    HttpRequest forged = request("GET", "/health");
    forged.headers.add("X-Request-Id", id);
    EXPECT_EQ(admitted(forged).request_id.substr(0, 4), "req_") << id;
  }
  EXPECT_NE(admitted(request("GET", "/health")).request_id, admitted(request("GET", "/health")).request_id);
}

TEST_F(DispatcherTest, TurnsAnExceptionIntoAnInternalError) {
  use({});
  configure_logging({.sink = [](std::string_view) {}});
  const Route route{Method::kGet,
                    "/x",
                    Access::kPublic,
                    "throws",
                    [](const Exchange&) { throw std::runtime_error("x"); },
                    0,
                    0};
  Admission admission;
  admission.route = &route;
  admission.request_id = "id";
  const auto writer = std::make_shared<RecordingWriter>();
  dispatch(*context_, admission, {}, writer);
  configure_logging({});

  EXPECT_EQ(writer->head().status, 500);
  EXPECT_THAT(writer->body(), HasSubstr("\"code\":\"internal\""));
}

}  // namespace
}  // namespace llama_gpu::server
