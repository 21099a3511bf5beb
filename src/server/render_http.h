// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/http_message.h"

namespace llama_gpu::server {

// How an answer's body is delimited.
enum class Framing : uint8_t { kLength, kChunked, kUntilClose };

// What the connection adds to an answer.
struct ResponseFrame {
  Framing framing = Framing::kLength;
  bool keep_alive = true;
  bool is_head_request = false;  // headers as for GET, no body
  int64_t unix_seconds = 0;      // for Date
  const Headers* common = nullptr;
};

// Appends the status line, all header fields and the body, which is the first chunk of a chunked one. Values
// from handlers are cut at line ends, so that no text can start a field of its own.
void append_response(std::string& out, const HttpResponse& response, const ResponseFrame& frame);

// Appends `bytes` as one chunk; nothing for none, which would end the body.
void append_chunk(std::string& out, std::string_view bytes);

inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// "Sun, 22 Nov 2026 21:24:00 GMT"
std::string http_date(int64_t unix_seconds);

}  // namespace llama_gpu::server
