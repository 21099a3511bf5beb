// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/loop_state.h"

#include "text/jinja/comparison.h"
#include "text/jinja/runtime.h"

namespace llama_gpu::text::jinja {

Result<bool> LoopState::look_ahead(Runtime& runtime) {
  if (!ahead_.empty()) return true;
  if (items_ == nullptr) return false;
  TRY(std::optional<Value> item, items_->next(runtime));
  if (!item) return false;
  ahead_.push_back(std::move(*item));
  return true;
}

Result<bool> LoopState::advance(Runtime& runtime) {
  TRY(const bool has_item, look_ahead(runtime));
  if (!has_item) return false;
  previous_ = std::move(current_);
  current_ = std::move(ahead_.front());
  ahead_.pop_front();
  ++index0_;
  return true;
}

Result<int64_t> LoopState::size(Runtime& runtime) {
  if (items_ == nullptr && !size_) size_ = index0_ + 1;
  while (!size_) {
    TRY(std::optional<Value> item, items_->next(runtime));
    TRY_STATUS(runtime.spend());
    if (!item) {
      size_ = index0_ + 1 + static_cast<int64_t>(ahead_.size());
    } else {
      ahead_.push_back(std::move(*item));
    }
  }
  return *size_;
}

Result<std::optional<Value>> LoopState::attribute(Runtime& runtime, std::string_view name) {
  if (name == "index") return std::optional(Value(index0_ + 1));
  if (name == "index0") return std::optional(Value(index0_));
  if (name == "first") return std::optional(Value(index0_ == 0));
  if (name == "depth") return std::optional(Value(int64_t{1}));
  if (name == "depth0") return std::optional(Value(int64_t{0}));
  if (name == "previtem") {
    if (index0_ != 0) return std::optional(previous_.value_or(Value()));
    TRY(Value nothing, runtime.make_undefined("there is no previous item"));
    return std::optional(std::move(nothing));
  }
  if (name == "last" || name == "nextitem") {
    TRY(const bool has_next, look_ahead(runtime));
    if (name == "last") return std::optional(Value(!has_next));
    if (has_next) return std::optional(ahead_.front());
    TRY(Value nothing, runtime.make_undefined("there is no next item"));
    return std::optional(std::move(nothing));
  }
  if (name != "length" && name != "revindex" && name != "revindex0") return std::optional<Value>();
  TRY(const int64_t count, size(runtime));
  if (name == "length") return std::optional(Value(count));
  return std::optional(Value(count - index0_ - (name == "revindex" ? 0 : 1)));
}

Result<bool> LoopState::changed(Runtime& runtime, Value values) {
  if (last_changed_) {
    TRY(const bool is_same, equal(runtime, *last_changed_, values));
    if (is_same) return false;
  }
  if (items_ != nullptr) last_changed_ = std::move(values);
  return true;
}

void LoopState::end() {
  items_.reset();
  ahead_.clear();
  previous_.reset();
  current_.reset();
  last_changed_.reset();
}

}  // namespace llama_gpu::text::jinja
