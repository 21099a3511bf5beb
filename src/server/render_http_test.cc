// SPDX-License-Identifier: Apache-2.0
#include "server/render_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/api_error.h"
#include "server/ids.h"
#include "server/json_reader.h"

namespace llama_gpu::server {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string rendered(const HttpResponse& response, const ResponseFrame& frame = {}) {
  std::string out;
  append_response(out, response, frame);
  return out;
}

TEST(RenderHttp, WritesAnAnswerWithItsLength) {
  Headers common;
  common.add("x-request-id", "r");
  const std::string text = rendered({.content_type = "text/plain", .body = "hi"}, {.common = &common});

  EXPECT_THAT(text, AllOf(StartsWith("HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
                          HasSubstr("Content-Length: 2\r\n"), HasSubstr("x-request-id: r\r\n"),
                          HasSubstr("Connection: keep-alive\r\n"), EndsWith("\r\n\r\nhi")));
}

TEST(RenderHttp, WritesNoBodyForHeadOrNoContent) {
  EXPECT_THAT(rendered({.body = "hi"}, {.is_head_request = true}),
              AllOf(HasSubstr("Content-Length: 2\r\n"), EndsWith("\r\n\r\n")));
  EXPECT_THAT(rendered({.status = 204}), AllOf(Not(HasSubstr("Content-Length")), EndsWith("\r\n\r\n")));
  EXPECT_THAT(rendered({.status = 304}), Not(HasSubstr("Content-Length")));
}

TEST(RenderHttp, WritesChunks) {
  EXPECT_THAT(rendered({.body = "hi"}, {.framing = Framing::kChunked}),
              AllOf(HasSubstr("Transfer-Encoding: chunked\r\n"), Not(HasSubstr("Content-Length")),
                    EndsWith("\r\n\r\n2\r\nhi\r\n")));
  std::string out;
  append_chunk(out, std::string(300, 'x'));
  EXPECT_THAT(out, AllOf(StartsWith("12c\r\nxxx"), EndsWith("xxx\r\n")));
  out.clear();
  append_chunk(out, "");
  EXPECT_EQ(out, "");
}

TEST(RenderHttp, WritesUntilTheConnectionCloses) {
  EXPECT_THAT(
      rendered({.body = "hi"}, {.framing = Framing::kUntilClose, .keep_alive = false}),
      AllOf(HasSubstr("Connection: close\r\n"), Not(HasSubstr("Content-Length")), EndsWith("\r\n\r\nhi")));
}

TEST(RenderHttp, LetsNoValueStartAFieldOfItsOwn) {
  HttpResponse response;
  response.headers.add("x", "a\r\nSet-Cookie: b");

  EXPECT_THAT(rendered(response), AllOf(HasSubstr("x: a\r\n"), Not(HasSubstr("Set-Cookie"))));
}

TEST(RenderHttp, WritesDates) { EXPECT_EQ(http_date(1795382645), "Sun, 22 Nov 2026 21:24:05 GMT"); }

TEST(RenderHttp, HasAPhraseForEveryStatusOfAnError) {
  for (const ErrorCodeInfo& info : kErrorCodes)
    EXPECT_NE(reason_phrase(info.http_status), "Unknown") << info.name;
  for (const int status : {100, 200, 204, 304}) EXPECT_NE(reason_phrase(status), "Unknown");
  EXPECT_EQ(reason_phrase(299), "Unknown");
}

TEST(ApiError, HasAllFourKeys) {
  const Json body = *read_json(error_body(Error{ErrorCode::kModelNotFound, "no \"x\"\xFF", "look", "model"}));

  EXPECT_EQ(
      body["error"].dump(),
      R"({"message":"no \"x\"�; look","type":"invalid_request_error","param":"model","code":"model_not_found"})");
  EXPECT_TRUE((*read_json(error_body(Error{ErrorCode::kInternal, "x"})))["error"]["param"].is_null());
}

TEST(ApiError, AHintGoesOnWithAMessageOrFollowsItAsASentence) {
  const auto text_of = [](const char* message, const char* hint) {
    const Json body = *read_json(error_body(Error{ErrorCode::kInternal, message, hint}));
    return body["error"]["message"].get<std::string>();
  };
  EXPECT_EQ(text_of("roles must alternate", "send others"), "roles must alternate; send others");
  EXPECT_EQ(text_of("Roles must alternate.", "send others"), "Roles must alternate; send others");
  EXPECT_EQ(text_of("There are too many.", "Please send fewer."), "There are too many. Please send fewer.");
  EXPECT_EQ(text_of("There are too many.", ""), "There are too many.");
}

TEST(ApiError, SaysWhetherToTryAgain) {
  EXPECT_TRUE(error_response(Error{ErrorCode::kWorkerFailed, "x"}).headers.find("Retry-After"));
  EXPECT_EQ(error_response(Error{ErrorCode::kInternal, "x"}).headers.find("x-should-retry"), "false");
  EXPECT_EQ(error_response(Error{ErrorCode::kInvalidApiKey, "x"}).headers.find("WWW-Authenticate"), "Bearer");
  EXPECT_FALSE(error_response(Error{ErrorCode::kInvalidValue, "x"}).headers.find("Retry-After"));
}

TEST(ApiError, EndsAStreamProperly) {
  EXPECT_THAT(error_events(Error{ErrorCode::kWorkerFailed, "x"}),
              AllOf(StartsWith("data: {\"error\":{"), EndsWith("}}\n\ndata: [DONE]\n\n")));
}

TEST(Ids, AreSafeAndDiffer) {
  EXPECT_TRUE(is_safe_request_id(random_id("req_")));
  EXPECT_NE(random_id("x"), random_id("x"));
  EXPECT_EQ(random_id("cmpl-").size(), 29U);
}

}  // namespace
}  // namespace llama_gpu::server
