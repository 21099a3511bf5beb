// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace llama_gpu {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kTime = 1'700'000'000'123;

std::string text_line(std::string_view message, std::initializer_list<LogField> fields) {
  return format_log_line({LogLevel::kInfo, kTime, message, fields}, LogFormat::kText, false);
}

std::string json_line(std::string_view message, std::initializer_list<LogField> fields) {
  return format_log_line({LogLevel::kWarning, kTime, message, fields}, LogFormat::kJson, false);
}

TEST(Log, WritesTimeLevelMessageAndFieldsAsText) {
  EXPECT_EQ(text_line("listening", {{"host", "127.0.0.1"}, {"port", 8484}, {"secure", false}}),
            "2023-11-14T22:13:20.123Z info    listening host=127.0.0.1 port=8484 secure=false");
}

TEST(Log, WritesNumbersBareInJson) {
  EXPECT_EQ(
      json_line("slow", {{"request_id", std::string("r-1")}, {"seconds", 0.25}, {"tokens", uint64_t{7}}}),
      R"({"time":"2023-11-14T22:13:20.123Z","level":"warning","message":"slow",)"
      R"("request_id":"r-1","seconds":0.25,"tokens":7})");
  EXPECT_THAT(json_line("odd", {{"value", std::numeric_limits<double>::quiet_NaN()}}),
              HasSubstr(R"("value":"nan")"));
}

TEST(Log, QuotesValuesThatWouldReadAsSomethingElse) {
  EXPECT_THAT(text_line("x", {{"path", "a b"}}), EndsWith(R"(path="a b")"));
  EXPECT_THAT(text_line("x", {{"path", ""}}), EndsWith(R"(path="")"));
  EXPECT_THAT(text_line("x", {{"path", "a\" level=error"}}), EndsWith(R"(path="a\" level=error")"));
}

TEST(Log, KeepsAForgedLineInsideItsValue) {
  const std::string forged = "id\r\n2023-11-14T22:13:20.123Z error hacked\x1b[2J\u202E";

  EXPECT_THAT(text_line("x", {{"id", forged}}), Not(HasSubstr("\n")));
  EXPECT_THAT(text_line("x", {{"id", forged}}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(json_line("x", {{"id", forged}}), HasSubstr(R"(id\u000d\u000a2023)"));
  EXPECT_THAT(json_line("x", {{"id", forged}}), Not(HasSubstr("\x1b")));
}

TEST(Log, CutsLongValues) {
  const std::string megabyte(1 << 20, 'x');

  EXPECT_LT(text_line("x", {{"body", megabyte}}).size(), 4300U);
  EXPECT_LT(json_line("x", {{"body", megabyte}}).size(), 4300U);
  EXPECT_THAT(json_line("x", {{"body", megabyte}}), HasSubstr("...(+1044480 bytes)"));
}

TEST(Log, ColoursOnlyTheLevel) {
  EXPECT_THAT(format_log_line({LogLevel::kError, kTime, "x", {}}, LogFormat::kText, true),
              HasSubstr(" \x1b[31merror  \x1b[0m x"));
}

// Collects lines for the length of a test.
class LogCapture : public ::testing::Test {
 protected:
  void capture(LogLevel level) {
    configure_logging({.level = level, .sink = [this](std::string_view line) { lines_.emplace_back(line); }});
  }
  void TearDown() override { configure_logging({}); }

  std::vector<std::string> lines_;
};

TEST_F(LogCapture, WritesEventsOfTheLevelAndAbove) {
  capture(LogLevel::kWarning);

  log_debug("d");
  log_info("i");
  log_warning("w");
  log_error("e", {{"request_id", "r-1"}});

  EXPECT_THAT(lines_, ElementsAre(HasSubstr("warning w"), HasSubstr("error   e request_id=r-1")));
  EXPECT_FALSE(log_enabled(LogLevel::kInfo));
  EXPECT_TRUE(log_enabled(LogLevel::kError));
}

TEST_F(LogCapture, WritesToStderrOtherwise) {
  configure_logging({.format = LogFormat::kJson});
  ::testing::internal::CaptureStderr();

  log_info("started");

  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("\"message\":\"started\"}\n"));
}

TEST(Log, KnowsItsLevelsByName) {
  EXPECT_EQ(parse_log_level("debug"), LogLevel::kDebug);
  EXPECT_EQ(parse_log_level("error"), LogLevel::kError);
  EXPECT_EQ(parse_log_level("loud"), std::nullopt);
}

}  // namespace
}  // namespace llama_gpu
