// SPDX-License-Identifier: Apache-2.0
#include "supervisor/frame_socket.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

namespace llama_gpu::supervisor {
namespace {

class FrameSocket : public testing::Test {
 protected:
  FrameSocket() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()), 0); }
  ~FrameSocket() override {
    for (const int end : ends_) {
      if (end >= 0) close(end);
    }
  }
  void hang_up() { close(std::exchange(ends_[1], -1)); }

  std::array<int, 2> ends_ = {-1, -1};
};

std::string frame(size_t payload_bytes) {
  return encode_frame(FrameKind::kStep, std::string(payload_bytes, 'x')).value();
}

TEST_F(FrameSocket, KeepsWhatTheSocketDoesNotTakeAndSendsItLater) {
  SendBuffer out(size_t{64} << 20);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(out.push(frame(100'000)).ok());
  FrameDecoder decoder;
  int num_taken = 0;

  ASSERT_TRUE(out.flush(ends_[0]).ok());
  EXPECT_GT(out.pending_bytes(), 0U);
  while (num_taken < 100) {
    ASSERT_TRUE(out.flush(ends_[0]).ok());
    ASSERT_EQ(receive(ends_[1], decoder), Received::kSome);
    for (auto next = decoder.next(); next.value().has_value(); next = decoder.next()) {
      EXPECT_EQ(next.value()->payload.size(), 100'000U);
      ++num_taken;
    }
  }

  EXPECT_EQ(out.pending_bytes(), 0U);
  EXPECT_EQ(receive(ends_[1], decoder), Received::kNothing);
}

TEST_F(FrameSocket, RefusesMoreThanItsBoundButTakesWhatMustGetThrough) {
  SendBuffer out(1000);

  EXPECT_TRUE(out.push(frame(900)).ok());
  EXPECT_EQ(out.push(frame(900)).error().code, ErrorCode::kOverloaded);
  EXPECT_FALSE(out.is_full());
  out.push_always(frame(900));

  EXPECT_TRUE(out.is_full());
  EXPECT_EQ(out.pending_bytes(), 2 * (900 + kFrameHeaderBytes));
}

TEST_F(FrameSocket, SaysSoWhenTheOtherSideIsGone) {
  SendBuffer out(1000);
  ASSERT_TRUE(out.push(frame(10)).ok());
  FrameDecoder decoder;

  hang_up();

  EXPECT_EQ(out.flush(ends_[0]).error().code, ErrorCode::kWorkerFailed);
  EXPECT_EQ(receive(ends_[0], decoder), Received::kEnd);
  out.clear();
  EXPECT_EQ(out.pending_bytes(), 0U);
}

}  // namespace
}  // namespace llama_gpu::supervisor
