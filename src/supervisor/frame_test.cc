// SPDX-License-Identifier: Apache-2.0
#include "supervisor/frame.h"

#include <gmock/gmock.h>

#include <random>
#include <string>
#include <vector>

namespace llama_gpu::supervisor {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

std::vector<Frame> random_frames(std::mt19937& random, int count) {
  std::vector<Frame> frames;
  for (int i = 0; i < count; ++i) {
    std::string payload(1 + random() % 300, '\0');
    for (char& byte : payload) byte = static_cast<char>(random());
    frames.push_back({random() % 2 == 0 ? FrameKind::kControl : FrameKind::kStep, std::move(payload)});
  }
  return frames;
}

std::string encode_all(const std::vector<Frame>& frames) {
  std::string bytes;
  for (const Frame& frame : frames) bytes += encode_frame(frame.kind, frame.payload).value();
  return bytes;
}

// Takes every frame that is whole by now.
void drain(FrameDecoder& decoder, std::vector<Frame>& taken) {
  for (;;) {
    Result<std::optional<Frame>> next = decoder.next();
    ASSERT_TRUE(next.ok()) << next.error().message;
    if (!next.value()) return;
    taken.push_back(*std::move(next.value()));
  }
}

std::string header(uint32_t length, uint8_t kind) {
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof(length));
  return bytes + static_cast<char>(kind);
}

TEST(Frame, ArrivesWholeWhateverThePortionsItsBytesComeIn) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    const std::vector<Frame> sent = random_frames(random, 20);
    const std::string bytes = encode_all(sent);
    FrameDecoder decoder;
    std::vector<Frame> taken;

    for (size_t at = 0; at < bytes.size();) {
      const size_t portion = std::min<size_t>(1 + random() % 700, bytes.size() - at);
      decoder.append(std::string_view(bytes).substr(at, portion));
      at += portion;
      drain(decoder, taken);
    }

    EXPECT_THAT(taken, ElementsAreArray(sent));
    EXPECT_EQ(decoder.pending_bytes(), 0U);
  }
}

TEST(Frame, IsNotThereUntilItsLastByte) {
  const std::string bytes = encode_frame(FrameKind::kStep, "payload").value();
  FrameDecoder decoder;
  std::vector<Frame> taken;

  for (size_t i = 0; i + 1 < bytes.size(); ++i) {
    decoder.append(std::string_view(&bytes[i], 1));
    drain(decoder, taken);
    EXPECT_TRUE(taken.empty()) << "after " << i + 1 << " bytes";
  }
  decoder.append(std::string_view(&bytes.back(), 1));
  drain(decoder, taken);

  EXPECT_THAT(taken, ElementsAreArray({Frame{FrameKind::kStep, "payload"}}));
}

TEST(Frame, OfTheLargestSizeArrives) {
  const Frame sent{FrameKind::kControl, std::string(kMaxFramePayloadBytes, 'x')};
  FrameDecoder decoder;
  std::vector<Frame> taken;

  decoder.append(encode_frame(sent.kind, sent.payload).value());
  drain(decoder, taken);

  ASSERT_EQ(taken.size(), 1U);
  EXPECT_TRUE(taken[0] == sent);
}

TEST(Frame, IsRefusedByTheSenderWhenItsPayloadIsEmptyOrTooLarge) {
  EXPECT_EQ(encode_frame(FrameKind::kControl, "").error().code, ErrorCode::kRequestTooLarge);
  EXPECT_EQ(encode_frame(FrameKind::kControl, std::string(kMaxFramePayloadBytes + 1, 'x')).error().code,
            ErrorCode::kRequestTooLarge);
}

TEST(Frame, WithAHostileLengthIsAProtocolErrorAndReservesNothing) {
  for (const uint32_t length :
       {0U, static_cast<uint32_t>(kMaxFramePayloadBytes) + 1, 0x7fffffffU, 0xffffffffU}) {
    FrameDecoder decoder;
    decoder.append(header(length, 1));

    const auto refused = decoder.next();

    ASSERT_FALSE(refused.ok()) << length;
    EXPECT_EQ(refused.error().code, ErrorCode::kProtocolError);
    EXPECT_THAT(refused.error().message, HasSubstr(std::to_string(length)));
    EXPECT_LT(decoder.pending_bytes(), 16U);
  }
}

TEST(Frame, OfAnUnknownKindIsAProtocolErrorForGood) {
  for (int kind = 0; kind < 256; ++kind) {
    if (kind == 1 || kind == 2) continue;
    FrameDecoder decoder;
    decoder.append(header(1, static_cast<uint8_t>(kind)) + "x");

    EXPECT_EQ(decoder.next().error().code, ErrorCode::kProtocolError) << kind;
    decoder.append(encode_frame(FrameKind::kControl, "good").value());
    EXPECT_EQ(decoder.next().error().code, ErrorCode::kProtocolError) << kind;
  }
}

}  // namespace
}  // namespace llama_gpu::supervisor
