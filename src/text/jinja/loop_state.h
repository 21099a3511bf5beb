// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

// A running `for`, and what the template sees of it as `loop`. It looks ahead only when asked, as values that
// come from a filter are computed when they are taken.
class LoopState {
 public:
  // `size` where the number of items is known from the start.
  LoopState(std::shared_ptr<Iterator> items, std::optional<int64_t> size, MemoryCharge charge)
      : nesting_(items->nesting() + 1), items_(std::move(items)), size_(size), charge_(std::move(charge)) {}

  // Goes to the next item; false at the end.
  Result<bool> advance(Runtime& runtime);
  const Value& current() const { return *current_; }
  // loop.index and the like; nullopt where `loop` has no such attribute. Methods are not among them.
  Result<std::optional<Value>> attribute(Runtime& runtime, std::string_view name);
  int64_t index0() const { return index0_; }
  // loop.changed(values): whether it was never called, or with other values.
  Result<bool> changed(Runtime& runtime, Value values);
  // Lets go of all items: the loop is over, and a template may have put it into one of them.
  void end();
  uint32_t nesting() const { return nesting_; }

 private:
  Result<bool> look_ahead(Runtime& runtime);
  Result<int64_t> size(Runtime& runtime);

  uint32_t nesting_;
  std::shared_ptr<Iterator> items_;  // null when the loop is over
  std::optional<int64_t> size_;
  std::deque<Value> ahead_;
  int64_t index0_ = -1;
  std::optional<Value> previous_, current_, last_changed_;
  MemoryCharge charge_;
};

}  // namespace llama_gpu::text::jinja
