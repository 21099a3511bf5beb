// SPDX-License-Identifier: Apache-2.0
#include "app/plugin_filter.h"

#include <algorithm>
#include <utility>

namespace llama_gpu::app {
namespace {

bool is_closed_filter(const plugins::PluginStatus& status) {
  if (!status.is_enabled) return false;
  if (!status.manifest) return true;  // nobody can tell yet, or any more
  const plugins::PluginManifest& manifest = *status.manifest;
  return manifest.failure_policy == plugins::FailurePolicy::kClosed &&
         std::ranges::count(manifest.capabilities, plugins::Capability::kRequestFilter) > 0;
}

}  // namespace

bool PluginFilter::must_see_all() const { return std::ranges::any_of(plugins_.list(), is_closed_filter); }

void PluginFilter::filter(server::FilterRequest request,
                          std::function<void(Result<server::FilterText>)> done) {
  plugins_.filter_request({.request_id = std::move(request.request_id),
                           .model = std::move(request.model),
                           .text = std::move(request.text)},
                          std::move(done));
}

}  // namespace llama_gpu::app
