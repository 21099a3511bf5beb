// SPDX-License-Identifier: Apache-2.0
#include "server/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

namespace llama_gpu::server {
namespace {

using testing::HasSubstr;
using testing::Not;

HttpRequest request_with(std::initializer_list<std::pair<std::string, std::string>> fields,
                         int minor_version = 1) {
  HttpRequest request;
  request.minor_version = minor_version;
  for (const auto& [name, value] : fields) request.headers.add(name, value);
  return request;
}

bool takes_host(const AccessControl& access, const std::string& host) {
  return access.check_host(request_with({{"Host", host}}), {}).ok();
}

bool takes_origin(const AccessControl& access, const std::string& origin,
                  const std::string& host = "localhost:8484") {
  return access.check_origin(request_with({{"Host", host}, {"Origin", origin}})).ok();
}

bool takes_key(const AccessControl& access, const std::string& authorization) {
  return access.check_key(request_with({{"Authorization", authorization}}), Access::kUser).ok();
}

TEST(BindAddress, NeedsAKeyWhereOthersCanReachIt) {
  for (const std::string host : {"0.0.0.0", "::", "192.168.1.2", "example.org", "127.evil.com"}) {
    EXPECT_EQ(check_bind_address({.host = host}).error().code, ErrorCode::kConfigInvalid) << host;
    EXPECT_TRUE(check_bind_address({.host = host, .api_keys = {"k"}}).ok());
    EXPECT_TRUE(check_bind_address({.host = host, .insecure_no_auth = true}).ok());
  }
  for (const std::string host : {"127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.2"}) {
    EXPECT_TRUE(check_bind_address({.host = host}).ok()) << host;
  }
}

TEST(HostHeader, MustNameThisMachineOnLoopback) {
  const AccessControl access({.allowed_hosts = {"My.Name"}});

  for (const std::string host : {"localhost", "LOCALHOST:8484", "127.0.0.1:1", "[::1]:8484", "my.name:80"}) {
    EXPECT_TRUE(takes_host(access, host)) << host;
  }
  for (const std::string host : {"evil.com", "127.evil.com", "localhost.evil.com", "", "[::1]x", "0.0.0.0",
                                 "localhost.", "10.0.0.1", "localhost evil.com", "localhost:80:80"}) {
    EXPECT_FALSE(takes_host(access, host)) << host;
  }
}

TEST(HostHeader, MayNotStandTwiceOrBeMissing) {
  const AccessControl access({});

  const Status twice = access.check_host(request_with({{"Host", "localhost"}, {"Host", "localhost"}}), {});
  EXPECT_EQ(twice.error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(access.check_host(request_with({}), {}).error().code, ErrorCode::kInvalidRequest);
  EXPECT_TRUE(access.check_host(request_with({}, /*minor_version=*/0), {}).ok());
}

TEST(HostHeader, OfAnAbsoluteTargetIsCheckedToo) {
  const AccessControl access({});
  const HttpRequest request = request_with({{"Host", "localhost"}});

  EXPECT_TRUE(access.check_host(request, {.authority = "127.0.0.1:80", .path = "/", .query = ""}).ok());
  EXPECT_FALSE(access.check_host(request, {.authority = "evil.com", .path = "/", .query = ""}).ok());
}

TEST(HostHeader, MayBeAnythingForANetworkWithAKey) {
  EXPECT_TRUE(takes_host(AccessControl({.host = "0.0.0.0", .api_keys = {"k"}}), "any.name:1"));
  EXPECT_FALSE(takes_host(AccessControl({.host = "127.0.0.1", .api_keys = {"k"}}), "any.name:1"));
}

TEST(HostHeader, MayBeAnAddressForANetworkWithoutAKey) {
  const AccessControl access({.host = "0.0.0.0", .insecure_no_auth = true});

  EXPECT_TRUE(takes_host(access, "192.168.1.5:8484"));
  EXPECT_TRUE(takes_host(access, "[fd00::1]"));
  EXPECT_FALSE(takes_host(access, "rebound.evil.com"));
  EXPECT_FALSE(takes_host(access, "0.0.0.0"));
  EXPECT_TRUE(takes_host(AccessControl({.host = "192.168.1.5", .insecure_no_auth = true}), "192.168.1.5"));
}

TEST(OriginHeader, MustBeTheSameSiteForAdminRoutesWithoutAKey) {
  const AccessControl open(ServerOptions{}), guarded(ServerOptions{.api_keys = {"k"}});
  const auto from = [](const std::string& origin) {
    return request_with({{"Host", "localhost:8484"}, {"Origin", origin}});
  };

  EXPECT_TRUE(open.check_origin_of_admin(request_with({{"Host", "localhost:8484"}})).ok());
  EXPECT_TRUE(open.check_origin_of_admin(from("http://localhost:8484")).ok());
  for (const char* other : {"http://localhost:3000", "http://127.0.0.1:8484", "null", "http://evil.com"})
    EXPECT_EQ(open.check_origin_of_admin(from(other)).error().code, ErrorCode::kHostNotAllowed) << other;
  EXPECT_TRUE(guarded.check_origin_of_admin(from("http://localhost:3000")).ok());
}

TEST(OriginHeader, MustBeThisMachineOrTheSameSite) {
  const AccessControl access({.allowed_hosts = {"app.example"}});

  EXPECT_TRUE(access.check_origin(request_with({{"Host", "localhost"}})).ok());
  for (const std::string origin :
       {"http://localhost:5173", "http://127.0.0.1", "https://app.example", "http://[::1]:3"}) {
    EXPECT_TRUE(takes_origin(access, origin)) << origin;
  }
  EXPECT_TRUE(takes_origin(access, "https://box.lan:8484", "box.lan:8484"));
  for (const std::string origin :
       {"http://evil.com", "null", "", "http://localhost.evil.com", "file://localhost", "http://",
        "chrome-extension://abc", "http://localhost@evil.com"}) {
    EXPECT_FALSE(takes_origin(access, origin)) << origin;
  }
  EXPECT_FALSE(
      access.check_origin(request_with({{"Origin", "http://localhost"}, {"Origin", "http://localhost"}}))
          .ok());
}

TEST(ApiKey, IsAskedForWhereOneIsSet) {
  const AccessControl access({.api_keys = {"first", "second"}});

  EXPECT_TRUE(takes_key(access, "Bearer first"));
  EXPECT_TRUE(takes_key(access, "bearer  second "));
  for (const std::string value : {"Bearer third", "Bearer", "Bearer ", "first", "Basic first", "Bearer firs",
                                  "Bearer first2", "Bearer FIRST"}) {
    EXPECT_FALSE(takes_key(access, value)) << value;
  }
  EXPECT_EQ(access.check_key(request_with({}), Access::kAdmin).error().code, ErrorCode::kInvalidApiKey);
  EXPECT_TRUE(access.check_key(request_with({}), Access::kPublic).ok());
  EXPECT_FALSE(
      access
          .check_key(request_with({{"Authorization", "Bearer first"}, {"Authorization", "Bearer first"}}),
                     Access::kUser)
          .ok());
}

TEST(ApiKey, MayBeAnythingWhereNoneIsSet) {
  const AccessControl access({});

  EXPECT_TRUE(takes_key(access, "Bearer whatever"));
  EXPECT_TRUE(access.check_key(request_with({}), Access::kAdmin).ok());
}

TEST(ApiKey, IsNeverInTheError) {
  const AccessControl access({.api_keys = {"sesame"}});
  const Status status = access.check_key(request_with({{"Authorization", "Bearer secret"}}), Access::kUser);

  EXPECT_THAT(status.error().message + status.error().hint, Not(HasSubstr("secret")));
  EXPECT_THAT(status.error().message + status.error().hint, Not(HasSubstr("sesame")));
}

}  // namespace
}  // namespace llama_gpu::server
