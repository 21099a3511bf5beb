// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "supervisor/frame.h"

namespace llama_gpu::supervisor {

// Bytes on their way into a socket that may take fewer than offered. Bounded; one thread at a time.
class SendBuffer {
 public:
  explicit SendBuffer(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Queues an encoded frame behind the others. kOverloaded, with nothing queued, where it would pass the
  // bound.
  Status push(std::string_view frame);
  // The same for the few short messages that must get through, such as cancel: a full buffer takes it too.
  void push_always(std::string_view frame) { bytes_.append(frame); }

  // Sends what the socket takes now, without waiting. kWorkerFailed where the other side is gone.
  Status flush(int fd);

  size_t pending_bytes() const { return bytes_.size() - offset_; }
  bool is_full() const { return pending_bytes() >= max_bytes_; }
  // Forgets everything: the connection is another one.
  void clear();

 private:
  size_t max_bytes_;
  std::string bytes_;
  size_t offset_ = 0;  // of the first byte that was not sent
};

// What receive() found.
enum class Received { kSome, kNothing, kEnd };

// Reads once from the socket, without waiting, and appends to the decoder. kEnd: the other side closed or
// died.
Received receive(int fd, FrameDecoder& decoder);

}  // namespace llama_gpu::supervisor
