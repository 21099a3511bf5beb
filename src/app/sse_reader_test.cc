// SPDX-License-Identifier: Apache-2.0
#include "app/sse_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace llama_gpu::app {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kStream =
    ": a comment\n\ndata: {\"a\":1}\n\nevent: x\ndata:two\ndata: lines\r\n\r\nid: 7\n\ndata:\n\ndata: "
    "unfinished";

TEST(SseReader, GivesTheSameEventsForEveryPortion) {
  for (size_t portion : {size_t{1}, size_t{2}, size_t{7}, kStream.size()}) {
    SseReader reader;
    std::vector<std::string> events;
    for (size_t i = 0; i < kStream.size(); i += portion) {
      ASSERT_TRUE(reader
                      .append(kStream.substr(i, portion),
                              [&](std::string_view data) -> Status {
                                events.emplace_back(data);
                                return {};
                              })
                      .ok());
    }
    EXPECT_THAT(events, ElementsAre("{\"a\":1}", "two\nlines", ""));
  }
}

TEST(SseReader, StopsAtTheReadersError) {
  SseReader reader;

  const Status status = reader.append(
      "data: x\n\ndata: y\n\n", [](std::string_view) { return Error{ErrorCode::kCancelled, "enough"}; });

  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
}

TEST(SseReader, BoundsAnEvent) {
  SseReader reader;
  Status status;

  for (int i = 0; i < 17 && status.ok(); ++i) {
    status = reader.append(std::string(1 << 20, 'x'), [](std::string_view) { return Status(); });
  }

  EXPECT_EQ(status.error().code, ErrorCode::kDownloadFailed);
}

}  // namespace
}  // namespace llama_gpu::app
