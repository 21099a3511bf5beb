// SPDX-License-Identifier: Apache-2.0
#include "supervisor/frame_socket.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace llama_gpu::supervisor {
namespace {

constexpr size_t kReceiveBytes = size_t{64} << 10;

bool would_block(int errno_value) { return errno_value == EAGAIN || errno_value == EWOULDBLOCK; }

}  // namespace

Status SendBuffer::push(std::string_view frame) {
  if (pending_bytes() + frame.size() > max_bytes_) {
    return Error{ErrorCode::kOverloaded,
                 "more than " + std::to_string(max_bytes_) + " bytes wait for the worker already",
                 "try again in a moment"};
  }
  push_always(frame);
  return {};
}

Status SendBuffer::flush(int fd) {
  while (pending_bytes() > 0) {
    const ssize_t sent = ::send(fd, bytes_.data() + offset_, pending_bytes(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && would_block(errno)) break;
    if (sent < 0)
      return Error{ErrorCode::kWorkerFailed, std::string("the worker is gone: ") + std::strerror(errno)};
    offset_ += static_cast<size_t>(sent);
  }
  if (pending_bytes() == 0) {
    clear();
  } else if (offset_ > bytes_.size() / 2) {
    bytes_.erase(0, offset_);
    offset_ = 0;
  }
  return {};
}

void SendBuffer::clear() {
  bytes_.clear();
  offset_ = 0;
}

Received receive(int fd, FrameDecoder& decoder) {
  std::array<char, kReceiveBytes> bytes;
  for (;;) {
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got > 0) {
      decoder.append(std::string_view(bytes.data(), static_cast<size_t>(got)));
      return Received::kSome;
    }
    if (got < 0 && errno == EINTR) continue;
    return got < 0 && would_block(errno) ? Received::kNothing : Received::kEnd;
  }
}

}  // namespace llama_gpu::supervisor
