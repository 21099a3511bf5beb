// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/response_writer.h"

namespace llama_gpu::server {

// Keeps what a handler answers. Posted tasks wait for run_posted(). One thread.
class RecordingWriter : public ResponseWriter {
 public:
  void post(std::function<void()> task) override { posted_.push_back(std::move(task)); }
  void listen(std::shared_ptr<ExchangeListener> listener) override { listener_ = std::move(listener); }
  void send(HttpResponse response) override {
    head_ = std::move(response);
    end_stream();
  }
  void begin_stream(HttpResponse head) override {
    is_stream_ = true;
    body_ = head.body;
    head_ = std::move(head);
  }
  void write(std::string_view bytes) override { body_ += bytes; }
  bool is_congested() const override { return is_congested_; }
  void end_stream() override {
    has_ended_ = true;
    listener_.reset();
  }

  // Runs what was posted, and what that posts.
  void run_posted() {
    while (!posted_.empty()) {
      for (auto& task : std::exchange(posted_, {})) task();
    }
  }

  // The client leaves: as in the real session, the listener hears it once and is let go.
  void close() {
    if (const auto listener = std::exchange(listener_, nullptr)) listener->on_closed();
  }
  // As a client that stops reading, or goes on.
  void set_congested(bool is_congested) {
    is_congested_ = is_congested;
    if (!is_congested && listener_) std::shared_ptr(listener_)->on_drained();
  }

  // Who listens now; null before listen() and after the end.
  const std::shared_ptr<ExchangeListener>& listener() const { return listener_; }
  bool has_begun() const { return head_.has_value(); }
  bool has_ended() const { return has_ended_; }
  bool is_stream() const { return is_stream_; }
  // REQUIRES: has_begun().
  const HttpResponse& head() const { return *head_; }
  // All bytes of the answer's body so far.
  const std::string& body() const { return is_stream_ ? body_ : head_->body; }

 private:
  std::vector<std::function<void()>> posted_;
  std::shared_ptr<ExchangeListener> listener_;
  std::optional<HttpResponse> head_;
  std::string body_;
  bool is_stream_ = false;
  bool has_ended_ = false;
  bool is_congested_ = false;
};

}  // namespace llama_gpu::server
