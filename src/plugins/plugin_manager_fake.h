// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plugins/plugin_manager.h"

namespace llama_gpu::plugins {

// A manager whose plugins, answers and events a test sets. It answers at once and on the caller's thread, or
// holds what it was asked for until release_held(). Thread-safe.
class FakePluginManager : public PluginManager {
 public:
  // A plugin as most tests want one.
  static PluginStatus make_status(std::string id, PluginState state = PluginState::kActive) {
    PluginStatus status;
    status.id = std::move(id);
    status.version = "1.2.3";
    status.digest = "d1";
    status.state = state;
    status.is_enabled = state != PluginState::kStopped;
    PluginManifest& manifest = status.manifest.emplace();
    manifest.id = status.id;
    manifest.capabilities = {Capability::kRequestFilter};
    return status;
  }

  // What it answers from now on.
  void set_plugins(std::vector<PluginStatus> plugins) {
    with_lock([&] { plugins_ = std::move(plugins); });
  }
  void set_generations(std::vector<Generation> generations) {
    with_lock([&] { generations_ = std::move(generations); });
  }
  void set_quarantined(std::vector<QuarantinedPackage> packages) {
    with_lock([&] { quarantined_ = std::move(packages); });
  }
  void set_ready(bool is_ready) {
    with_lock([&] { is_ready_ = is_ready; });
  }
  void set_plan(Result<ChangePlan> plan) {
    with_lock([&] { plan_ = std::move(plan); });
  }
  // What apply() and generations() answer instead, until cleared.
  void set_error(std::optional<Error> error) {
    with_lock([&] { error_ = std::move(error); });
  }
  // What requests pass; none: there are no filters.
  void set_filter(std::function<Result<FilterableText>(const FilterCall&)> filter) {
    with_lock([&] { filter_ = std::move(filter); });
  }
  // While set, apply() and filter_request() keep their callbacks for release_held().
  void hold_calls(bool is_held) {
    with_lock([&] { is_held_ = is_held; });
  }
  void release_held() {
    std::vector<std::function<void()>> held;
    with_lock([&] { held.swap(held_); });
    for (const auto& call : held) call();
  }
  // Keeps the event, with the next sequence, and tells the hooks.
  void emit(PluginEvent event) {
    std::vector<std::shared_ptr<PluginEventHook>> hooks;
    with_lock([&] {
      event.sequence = ++last_sequence_;
      events_.push_back(event);
      for (const auto& weak : hooks_) {
        if (auto hook = weak.lock()) hooks.push_back(std::move(hook));
      }
    });
    for (const auto& hook : hooks) static_cast<void>((*hook)(event));
  }
  // Every change that apply() was asked for.
  std::vector<PluginChange> changes() const {
    const std::lock_guard lock(mutex_);
    return changes_;
  }
  // Hooks whose token still lives.
  size_t num_hooks() const {
    const std::lock_guard lock(mutex_);
    return static_cast<size_t>(
        std::ranges::count_if(hooks_, [](const auto& hook) { return !hook.expired(); }));
  }
  // Blocks until `count` requests came to the filters; returns them all.
  std::vector<FilterCall> wait_for_filter_calls(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return filter_calls_.size() >= count; });
    return filter_calls_;
  }

  // PluginManager
  std::vector<PluginStatus> list() const override {
    const std::lock_guard lock(mutex_);
    return plugins_;
  }
  Result<PluginStatus> find(std::string_view id) const override {
    for (auto& status : list()) {
      if (status.id == id) return status;
    }
    return Error{ErrorCode::kPluginNotFound, "there is no plugin '" + std::string(id) + "'"};
  }
  bool is_ready() const override {
    const std::lock_guard lock(mutex_);
    return is_ready_;
  }
  uint64_t generation() const override {
    const std::lock_guard lock(mutex_);
    return generations_.empty() ? 0 : generations_.back().number;
  }
  std::vector<QuarantinedPackage> quarantined() const override {
    const std::lock_guard lock(mutex_);
    return quarantined_;
  }
  Result<std::vector<Generation>> generations() const override {
    const std::lock_guard lock(mutex_);
    if (error_) return *error_;
    return generations_;
  }
  Result<ChangePlan> plan(const PluginChange&) const override {
    const std::lock_guard lock(mutex_);
    return plan_;
  }
  void apply(PluginChange change, std::function<void(Result<Generation>)> done) override {
    Generation generation;
    std::optional<Error> error;
    with_lock([&] {
      error = error_;
      generation = generations_.empty() ? Generation{} : generations_.back();
      changes_.push_back(std::move(change));
    });
    answer([done = std::move(done), generation, error] {
      done(error ? Result<Generation>(*error) : Result<Generation>(generation));
    });
  }
  std::shared_ptr<void> add_hook(PluginEventHook hook, bool) override {
    auto kept = std::make_shared<PluginEventHook>(std::move(hook));
    with_lock([&] { hooks_.push_back(kept); });
    return kept;
  }
  std::vector<PluginEvent> events_after(uint64_t sequence) const override {
    const std::lock_guard lock(mutex_);
    std::vector<PluginEvent> later;
    for (const PluginEvent& event : events_) {
      if (event.sequence > sequence) later.push_back(event);
    }
    return later;
  }
  bool has_request_filters() const override {
    const std::lock_guard lock(mutex_);
    return filter_ != nullptr;
  }
  void filter_request(FilterCall call, std::function<void(Result<FilterableText>)> done) override {
    std::function<Result<FilterableText>(const FilterCall&)> filter;
    with_lock([&] {
      filter = filter_;
      filter_calls_.push_back(call);
    });
    answer(
        [done = std::move(done), filter = std::move(filter), call = std::move(call)] { done(filter(call)); });
  }
  void stop() override {}

 private:
  template <typename F>
  void with_lock(F change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  void answer(std::function<void()> call) {
    bool is_held = false;
    with_lock([&] {
      is_held = is_held_;
      if (is_held) held_.push_back(call);
    });
    if (!is_held) call();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<PluginStatus> plugins_;
  std::vector<Generation> generations_;
  std::vector<QuarantinedPackage> quarantined_;
  std::vector<PluginEvent> events_;
  std::vector<std::weak_ptr<PluginEventHook>> hooks_;
  std::vector<PluginChange> changes_;
  std::vector<FilterCall> filter_calls_;
  std::vector<std::function<void()>> held_;
  std::function<Result<FilterableText>(const FilterCall&)> filter_;
  Result<ChangePlan> plan_ = ChangePlan{};
  std::optional<Error> error_;
  uint64_t last_sequence_ = 0;
  bool is_ready_ = true;
  bool is_held_ = false;
};

}  // namespace llama_gpu::plugins
