// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "plugins/plugin_manager.h"
#include "server/request_filter.h"

namespace llama_gpu::app {

// Takes the server's requests through the filters of its plugins. Thread-safe; `plugins` outlives it.
class PluginFilter final : public server::RequestFilter {
 public:
  explicit PluginFilter(plugins::PluginManager& plugins) : plugins_(plugins) {}

  bool is_active() const override { return plugins_.has_request_filters(); }
  // Where an enabled filter fails closed, whether it runs now or not.
  bool must_see_all() const override;
  void filter(server::FilterRequest request, std::function<void(Result<server::FilterText>)> done) override;

 private:
  plugins::PluginManager& plugins_;
};

}  // namespace llama_gpu::app
