// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "plugins/plugin_manager.h"
#include "server/response_writer.h"
#include "server/route.h"

namespace llama_gpu::server {

// Server-sent events of plugins, for as long as the client listens. The manager keeps the events; what a slow
// client has not read when they are dropped there is missing in its sequences. Connection's thread.
class PluginEventStream : public ExchangeListener, public std::enable_shared_from_this<PluginEventStream> {
 public:
  // Begins with the events after `after`. REQUIRES: the server has plugins.
  static void start(const Exchange& exchange, uint64_t after);

  PluginEventStream(const Exchange& exchange, uint64_t after);

  void on_closed() override;
  void on_silence() override;
  void on_drained() override { send_events(); }
  void on_server_draining() override { end(); }
  void on_abort(const Error&) override { end(); }

 private:
  void subscribe();
  void send_events();
  void end();

  plugins::PluginManager& plugins_;
  std::shared_ptr<ResponseWriter> writer_;
  uint64_t last_sent_;
  std::shared_ptr<std::atomic<bool>> is_called_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<void> hook_;  // gone when the answer has ended
};

}  // namespace llama_gpu::server
