// links: supervisor
// SPDX-License-Identifier: Apache-2.0
//
// What a worker, or whoever took its place, may send: a stream of frames in odd portions, and messages
// inside. The first byte chooses how the rest is read: as raw frames, or as one payload of each kind, so that
// the parsers behind the framing are reached without guessing its header.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "supervisor/engine_protocol.h"
#include "supervisor/frame.h"

namespace {

using namespace llama_gpu;
using namespace llama_gpu::supervisor;

void read_payload(FrameKind kind, std::string_view payload) {
  if (kind == FrameKind::kStep) {
    if (const auto step = parse_step(payload); step.ok())
      CHECK(encode_step(step.value()) == payload, "steps read back");
    return;
  }
  if (const auto message = parse_worker_message(payload); message.ok())
    (void)encode_worker_message(message.value());
  if (const auto call = parse_call(payload); call.ok()) (void)encode_call(call.value());
}

void read_stream(std::string_view bytes, size_t portion) {
  FrameDecoder decoder;
  for (size_t at = 0; at < bytes.size(); at += portion) {
    decoder.append(bytes.substr(at, portion));
    for (;;) {
      const Result<std::optional<Frame>> frame = decoder.next();
      if (!frame.ok()) return;
      if (!frame.value()) break;
      read_payload(frame.value()->kind, frame.value()->payload);
    }
  }
}

// Frames the payload, so that its way through the decoder is taken too.
void read_framed(FrameKind kind, std::string_view payload) {
  if (const auto bytes = encode_frame(kind, payload); bytes.ok()) read_stream(bytes.value(), 7);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      read_framed(FrameKind::kControl, rest);
      break;
    case 1:
      read_framed(FrameKind::kStep, rest);
      break;
    default:
      read_stream(rest, data[0]);
      break;
  }
  return 0;
}
