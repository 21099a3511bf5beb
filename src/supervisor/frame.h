// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// What travels between the control plane and a worker: frames, one after the other.
//
//   | payload length, u32 LE | kind, u8 | payload |
//
// A control frame holds one JSON-RPC message, a step frame the news of all sequences after one engine step.
namespace llama_gpu::supervisor {

enum class FrameKind : uint8_t { kControl = 1, kStep = 2 };

inline constexpr size_t kFrameHeaderBytes = 5;
inline constexpr size_t kMaxFramePayloadBytes = size_t{16} << 20;

// One message with what it is, its payload not read yet.
struct Frame {
  FrameKind kind = FrameKind::kControl;
  std::string payload;
  friend bool operator==(const Frame&, const Frame&) = default;
};

// The frame's bytes. kRequestTooLarge where the payload is empty or larger than a frame may be.
Result<std::string> encode_frame(FrameKind kind, std::string_view payload);

// Cuts a stream of foreign bytes into frames. One thread.
//
// Holds what was appended and not yet taken; a length alone reserves nothing.
class FrameDecoder {
 public:
  // Adds bytes that arrived, in any portion.
  void append(std::string_view bytes);

  // The next whole frame, or nullopt until more arrived. kProtocolError for a length of zero or over the cap
  // and for an unknown kind; every later call returns it again.
  Result<std::optional<Frame>> next();

  // Bytes that are kept: those of an unfinished frame once next() returned nullopt.
  size_t pending_bytes() const { return buffer_.size() - offset_; }

 private:
  std::string buffer_;
  size_t offset_ = 0;  // of the first byte that was not taken
  std::optional<Error> broken_;
};

}  // namespace llama_gpu::supervisor
