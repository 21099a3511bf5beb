// SPDX-License-Identifier: Apache-2.0
#include "supervisor/frame.h"

#include <bit>
#include <cstring>
#include <utility>

namespace llama_gpu::supervisor {
namespace {

static_assert(std::endian::native == std::endian::little, "frames are little-endian");

bool is_known(uint8_t kind) {
  return kind == static_cast<uint8_t>(FrameKind::kControl) || kind == static_cast<uint8_t>(FrameKind::kStep);
}

Error bad_frame(std::string message) {
  return {ErrorCode::kProtocolError, std::move(message),
          "both processes must be the same version of the program"};
}

}  // namespace

Result<std::string> encode_frame(FrameKind kind, std::string_view payload) {
  if (payload.empty() || payload.size() > kMaxFramePayloadBytes) {
    return Error{ErrorCode::kRequestTooLarge,
                 "a message of " + std::to_string(payload.size()) +
                     " bytes does not fit between the processes, at most " +
                     std::to_string(kMaxFramePayloadBytes) + " do",
                 "send a shorter text"};
  }
  const auto length = static_cast<uint32_t>(payload.size());
  std::string bytes(kFrameHeaderBytes, '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  bytes[sizeof(length)] = static_cast<char>(kind);
  bytes.append(payload);
  return bytes;
}

void FrameDecoder::append(std::string_view bytes) {
  // Moving what is left is worth it only where it is little beside what was taken.
  if (offset_ > buffer_.size() / 2) {
    buffer_.erase(0, offset_);
    offset_ = 0;
  }
  buffer_.append(bytes);
}

Result<std::optional<Frame>> FrameDecoder::next() {
  if (broken_) return *broken_;
  if (pending_bytes() < kFrameHeaderBytes) return std::optional<Frame>();

  uint32_t length = 0;
  std::memcpy(&length, buffer_.data() + offset_, sizeof(length));
  const auto kind = static_cast<uint8_t>(buffer_[offset_ + sizeof(length)]);
  if (length == 0 || length > kMaxFramePayloadBytes) {
    broken_ = bad_frame("a frame claims " + std::to_string(length) + " bytes, 1 to " +
                        std::to_string(kMaxFramePayloadBytes) + " are allowed");
    return *broken_;
  }
  if (!is_known(kind)) {
    broken_ = bad_frame("a frame is of kind " + std::to_string(kind) + ", known are 1 and 2");
    return *broken_;
  }
  if (pending_bytes() < kFrameHeaderBytes + length) return std::optional<Frame>();

  Frame frame{static_cast<FrameKind>(kind), buffer_.substr(offset_ + kFrameHeaderBytes, length)};
  offset_ += kFrameHeaderBytes + length;
  return std::optional<Frame>(std::move(frame));
}

}  // namespace llama_gpu::supervisor
