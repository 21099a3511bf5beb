// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "server/http_message.h"

namespace llama_gpu::server {

// What an answer in the making hears of its connection. Called on the connection's thread.
class ExchangeListener {
 public:
  virtual ~ExchangeListener() = default;
  // The client left, or reads nothing: nothing written arrives any more. The last call.
  virtual void on_closed() = 0;
  // Nothing was written for the keep-alive interval.
  virtual void on_silence() {}
  // A client that was far behind has read most of it: is_congested() is false again.
  virtual void on_drained() {}
  // The server stops, and lets answers end: one that has no end of its own ends now.
  virtual void on_server_draining() {}
  // End the answer with this error now: the server stops, the route's time is over, or the client stopped
  // reading.
  virtual void on_abort(const Error& error) = 0;
};

// Where a handler puts its answer: either send(), or begin_stream(), write()..., end_stream().
//
// Connection's thread only, but for post(). Calls after the end, or after the client left, do nothing.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;

  // Thread-safe: runs `task` on the connection's thread, never before it returned.
  virtual void post(std::function<void()> task) = 0;

  // Who hears of the connection until the answer has ended; it is kept alive until then.
  virtual void listen(std::shared_ptr<ExchangeListener> listener) = 0;

  // The whole answer.
  virtual void send(HttpResponse response) = 0;

  // Status, headers and first bytes of an answer of unknown length.
  virtual void begin_stream(HttpResponse head) = 0;
  // More of it. What the client does not read is kept, so look at is_congested() before.
  virtual void write(std::string_view bytes) = 0;
  // Whether the client is far behind with reading. Hold back until ExchangeListener::on_drained().
  virtual bool is_congested() const = 0;
  // The proper end of the stream.
  virtual void end_stream() = 0;
};

}  // namespace llama_gpu::server
