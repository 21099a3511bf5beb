// SPDX-License-Identifier: Apache-2.0
#include "server/plugin_event_stream.h"

#include <string>
#include <utility>

#include "server/server_context.h"

namespace llama_gpu::server {

void PluginEventStream::start(const Exchange& exchange, uint64_t after) {
  const auto self = std::make_shared<PluginEventStream>(exchange, after);
  exchange.writer->listen(self);
  HttpResponse head{.status = 200, .content_type = "text/event-stream; charset=utf-8"};
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Accel-Buffering", "no");  // a proxy that buffers would make a stream a document
  exchange.writer->begin_stream(std::move(head));
  self->subscribe();
  self->send_events();
}

PluginEventStream::PluginEventStream(const Exchange& exchange, uint64_t after)
    : plugins_(*exchange.server.plugins), writer_(exchange.writer), last_sent_(after) {
  // A position of an earlier life of the server: everything is news.
  const auto kept = plugins_.events_after(0);
  if (kept.empty() || kept.back().sequence < after) last_sent_ = 0;
}

// The manager's thread only calls; what is read is read here, so that it never waits for a client.
void PluginEventStream::subscribe() {
  const auto on_event = [weak = weak_from_this(), writer = writer_,
                         is_called = is_called_](const plugins::PluginEvent&) -> Status {
    if (is_called->exchange(true)) return {};
    writer->post([weak, is_called] {
      *is_called = false;
      if (const auto self = weak.lock()) self->send_events();
    });
    return {};
  };
  hook_ = plugins_.add_hook(on_event, /*may_veto=*/false);
}

void PluginEventStream::send_events() {
  if (hook_ == nullptr || writer_->is_congested()) return;
  std::string events;
  for (const plugins::PluginEvent& event : plugins_.events_after(last_sent_)) {
    last_sent_ = event.sequence;
    events += "id: " + std::to_string(event.sequence) + "\ndata: " + plugins::to_json(event) + "\n\n";
  }
  if (!events.empty()) writer_->write(events);
}

void PluginEventStream::end() {
  const auto keep = shared_from_this();  // the end of the answer lets go of this
  if (std::exchange(hook_, nullptr) != nullptr) writer_->end_stream();
}

void PluginEventStream::on_closed() { hook_ = nullptr; }

void PluginEventStream::on_silence() {
  if (hook_ != nullptr && !writer_->is_congested()) writer_->write(": keep-alive\n\n");
}

}  // namespace llama_gpu::server
