// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/generation.h"

namespace llama_gpu::server {

// What a filter sees of a request, and may replace: a conversation, or plain text.
using FilterText = std::variant<std::vector<text::ChatMessage>, std::string>;

// One prompt on its way to the engine.
struct FilterRequest {
  std::string request_id;
  std::string model;
  FilterText text;
};

// Looks at prompts before they are answered, and may change or refuse them. Thread-safe; outlives all
// exchanges.
class RequestFilter {
 public:
  virtual ~RequestFilter() = default;
  // Whether requests have anything to pass now; cheap.
  virtual bool is_active() const = 0;
  // Whether nothing may get past it that it cannot read, such as token ids.
  virtual bool must_see_all() const = 0;
  // `done` is called once, now or later, on any thread, with a text of the same kind as the request's, or
  // with why it is refused. Nothing calls it back where the client leaves meanwhile.
  virtual void filter(FilterRequest request, std::function<void(Result<FilterText>)> done) = 0;
};

// Takes the prompts of one client's request through the filter, all at once. `done` is called once, now or
// later, on any thread: the prompts as they are to go on, or the first refusal. Token ids go on as they are,
// but for a filter that must see all: kPluginRejected.
void filter_prompts(RequestFilter& filter, const FilterRequest& about, std::vector<engine::Prompt> prompts,
                    std::function<void(Result<std::vector<engine::Prompt>>)> done);

}  // namespace llama_gpu::server
