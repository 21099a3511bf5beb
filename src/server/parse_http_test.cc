// SPDX-License-Identifier: Apache-2.0
#include "server/parse_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace llama_gpu::server {
namespace {

using testing::HasSubstr;

// A request read from `bytes`, given in portions of `portion` bytes; what is left over stays in `rest`.
struct Reading {
  explicit Reading(std::string_view bytes, size_t portion = 1 << 20, uint64_t max_body = 1 << 20) {
    while (error.message.empty() && !parser.is_complete() && (!bytes.empty() || !rest.empty())) {
      rest += bytes.substr(0, portion);
      bytes.remove_prefix(std::min(portion, bytes.size()));
      if (!feed(max_body) && bytes.empty()) break;
    }
    rest += bytes;
  }

  // Whether something was taken.
  bool feed(uint64_t max_body) {
    const bool had_head = parser.has_head();
    const auto used = parser.feed(rest);
    if (!used.ok()) {
      error = used.error();
      return false;
    }
    rest.erase(0, *used);
    if (!had_head && parser.has_head()) {
      if (const Status status = parser.limit_body(max_body); !status.ok()) error = status.error();
    }
    return *used > 0;
  }

  HttpParser parser{HttpLimits{}};
  std::string rest;
  Error error;
};

void expect_refused(std::string_view bytes, ErrorCode code, std::string_view why) {
  const Reading reading(bytes);
  EXPECT_EQ(error_code_info(reading.error.code).name, error_code_info(code).name);
  EXPECT_THAT(reading.error.message, HasSubstr(std::string(why))) << std::string(bytes.substr(0, 80));
}

TEST(HttpParser, ReadsARequestHoweverItIsCutUp) {
  const std::string bytes = "POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Empty:\r\n\r\nhello";
  for (size_t portion = 1; portion <= bytes.size(); ++portion) {
    Reading reading(bytes, portion);

    ASSERT_TRUE(reading.parser.is_complete()) << portion << reading.error.message;
    const HttpRequest request = reading.parser.take();
    EXPECT_EQ(request.method, Method::kPost);
    EXPECT_EQ(request.target, "/x?y");
    EXPECT_EQ(request.headers.find("host"), "a");
    EXPECT_EQ(request.headers.find("x-empty"), "");
    EXPECT_EQ(request.body, "hello");
    EXPECT_TRUE(request.keep_alive);
  }
}

TEST(HttpParser, ReadsChunksWithExtensionsAndTrailersAndKeepsTheTrailersOut) {
  const std::string bytes =
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nAuthorization: Bearer evil\r\n\r\n";
  for (size_t portion = 1; portion <= bytes.size(); ++portion) {
    Reading reading(bytes, portion);

    ASSERT_TRUE(reading.parser.is_complete()) << portion << reading.error.message;
    const HttpRequest request = reading.parser.take();
    EXPECT_EQ(request.body, "abcde");
    EXPECT_TRUE(request.is_chunked);
    EXPECT_EQ(request.headers.find("Authorization"), std::nullopt);
  }
}

TEST(HttpParser, ReadsABodyOfNoChunksHoweverItComes) {
  const std::string bytes = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nF: x\r\n\r\n";
  for (size_t portion = 1; portion <= bytes.size(); ++portion) {
    Reading reading(bytes, portion);

    ASSERT_TRUE(reading.parser.is_complete()) << portion << reading.error.message;
    EXPECT_EQ(reading.parser.take().body, "");
  }
}

TEST(HttpParser, LeavesTheNextRequestAlone) {
  Reading reading("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");

  EXPECT_TRUE(reading.parser.is_complete());
  EXPECT_EQ(reading.rest, "GET /b HTTP/1.1\r\n\r\n");
  EXPECT_EQ(*reading.parser.feed(reading.rest), 0U);
}

TEST(HttpParser, SkipsLineEndsInFrontOfARequest) {
  Reading reading("\r\n\r\nGET /a HTTP/1.1\r\n\r\n", 1);

  EXPECT_TRUE(reading.parser.is_complete());
  EXPECT_EQ(reading.parser.head().target, "/a");
}

TEST(HttpParser, KnowsMethodsAndVersions) {
  EXPECT_EQ(Reading("HEAD / HTTP/1.1\r\n\r\n").parser.head().method, Method::kHead);
  EXPECT_EQ(Reading("PUT / HTTP/1.1\r\n\r\n").parser.head().method, Method::kPut);
  EXPECT_EQ(Reading("DELETE / HTTP/1.1\r\n\r\n").parser.head().method, Method::kDelete);
  EXPECT_EQ(Reading("PATCH / HTTP/1.1\r\n\r\n").parser.head().method, Method::kPatch);
  EXPECT_EQ(Reading("OPTIONS * HTTP/1.1\r\n\r\n").parser.head().method, Method::kOptions);
  EXPECT_EQ(Reading("TRACE / HTTP/1.1\r\n\r\n").parser.head().method, Method::kOther);
  EXPECT_EQ(Reading("BREW /pot HTTP/1.1\r\n\r\n").parser.head().method_name, "BREW");
  EXPECT_FALSE(Reading("GET / HTTP/1.0\r\n\r\n").parser.head().keep_alive);
  EXPECT_TRUE(Reading("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").parser.head().keep_alive);
  EXPECT_FALSE(Reading("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").parser.head().keep_alive);
}

TEST(HttpParser, RefusesAmbiguousFraming) {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
  const auto refused = [&](std::string_view fields) {
    expect_refused(start + std::string(fields) + "\r\nabc", ErrorCode::kInvalidRequest, "not valid HTTP/1.1");
  };
  refused("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n");
  refused("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n");
  refused("Content-Length: 3\r\nContent-Length: 3\r\n");
  refused("Content-Length: 3\r\nContent-Length: 4\r\n");
  refused("Content-Length: 3, 3\r\n");
  refused("Content-Length: +3\r\n");
  refused("Content-Length: -3\r\n");
  refused("Content-Length: 0x3\r\n");
  refused("Content-Length: 99999999999999999999\r\n");
  refused("Content-Length:\r\n");
  refused("Transfer-Encoding: identity\r\n");
  refused("Transfer-Encoding: gzip, chunked\r\n");
  refused("Transfer-Encoding: xchunked\r\n");
  refused("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n");
  refused("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n");
  expect_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ErrorCode::kInvalidRequest,
                 "HTTP/1.0");
}

TEST(HttpParser, RefusesBrokenHeaderSections) {
  const auto refused = [](std::string_view bytes) {
    expect_refused(bytes, ErrorCode::kInvalidRequest, "not valid");
  };
  refused("\nGET / HTTP/1.1\r\n\r\n");
  refused(" GET / HTTP/1.1\r\n\r\n");
  refused("GET / HTTP/1.1\nHost: a\n\n");
  refused("GET / HTTP/1.1\r\nHost: a\n\r\n");
  refused("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n");
  refused("GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n");
  refused("GET / HTTP/1.1\r\nA : b\r\n\r\n");
  refused("GET / HTTP/1.1\r\nno colon\r\n\r\n");
  refused("GET / HTTP/1.1\r\n: x\r\n\r\n");
  refused(std::string_view("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24));
  refused("GET / HTTP/2.0\r\n\r\n");
  refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  refused("GET / HTTP/1.2\r\n\r\n");
  refused("GET /\r\n\r\n");
  refused("GET  / HTTP/1.1\r\n\r\n");
  refused("\x16\x03\x01\x02\r\n\r\n");
}

TEST(HttpParser, BoundsTheHeaderSection) {
  const HttpLimits limits;
  std::string fields;
  for (size_t i = 0; i < limits.max_head_fields; ++i) fields += "A: b\r\n";

  EXPECT_TRUE(Reading("GET / HTTP/1.1\r\n" + fields + "\r\n").parser.is_complete());
  expect_refused("GET / HTTP/1.1\r\n" + fields + "A: b\r\n\r\n", ErrorCode::kHeadersTooLarge, "100 fields");
  const std::string start = "GET / HTTP/1.1\r\nA: ", end = "\r\n\r\n";
  const std::string fits(limits.max_head_bytes - start.size() - end.size(), 'x');
  EXPECT_TRUE(Reading(start + fits + end).parser.is_complete());
  expect_refused(start + fits + "x" + end, ErrorCode::kHeadersTooLarge, "65536 bytes");
  expect_refused(start + fits + fits, ErrorCode::kHeadersTooLarge, "65536 bytes");
  expect_refused("GET /" + std::string(100'000, 'x'), ErrorCode::kHeadersTooLarge, "65536 bytes");
}

TEST(HttpParser, BoundsTheBodyHoweverItIsFramed) {
  const std::string length = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
  const std::string chunks =
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";

  for (const std::string& bytes : {length, chunks}) {
    EXPECT_TRUE(Reading(bytes, 1, 5).parser.is_complete());
    const Reading over(bytes, 1, 4);
    EXPECT_EQ(over.error.code, ErrorCode::kRequestTooLarge);
  }
}

TEST(HttpParser, RefusesBrokenChunks) {
  for (const std::string_view body :
       {"-1\r\nx\r\n", "-2\r\n", "ffffffffffffffff1\r\nx", "x\r\n", "\r\n\r\n", "2\r\nabcdef\r\n",
        "1 \r\na\r\n", "0\r\nbad trailer\r\n\r\n", "1\r\na0\r\n\r\n"}) {
    const Reading reading("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body));
    EXPECT_FALSE(reading.parser.is_complete()) << body;
    EXPECT_NE(reading.error.message, "") << body;
  }
}

TEST(HttpParser, RefusesAnEndlessChunkHeader) {
  const Reading reading("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
                        std::string(200'000, 'x'));

  EXPECT_THAT(reading.error.message, HasSubstr("endless chunk header"));
}

TEST(HttpParser, WaitsForTheRestOfABody) {
  const Reading reading("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel");

  EXPECT_TRUE(reading.parser.has_head());
  EXPECT_FALSE(reading.parser.is_complete());
  EXPECT_EQ(reading.error.message, "");
}

}  // namespace
}  // namespace llama_gpu::server
