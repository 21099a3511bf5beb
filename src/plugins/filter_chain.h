// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "plugins/plugin_protocol.h"

namespace llama_gpu::plugins {

// A request filter as its plugin is now.
struct HostedFilter {
  std::string plugin;
  int64_t order = 0;
  FailurePolicy policy = FailurePolicy::kOpen;
  // Asks it; `done` is called once, maybe at once.
  std::function<void(const FilterCall& call, std::function<void(Result<FilterVerdict>)> done)> ask;
};

// Sorts into the order of calling: by order, then by id.
void sort_filters(std::vector<HostedFilter>& filters);

// Takes a request through the filters, one after the other, each seeing what those before it made of the
// text. `filters` may change between two of them, on the thread that this is called on: a plugin is asked
// once, by whichever worker it has then. `done` is called once, see PluginManager::filter_request; `filters`
// lives until then.
void pass_filters(const std::vector<HostedFilter>& filters, FilterCall call,
                  std::function<void(Result<FilterableText>)> done);

}  // namespace llama_gpu::plugins
