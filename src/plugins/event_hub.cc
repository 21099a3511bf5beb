// SPDX-License-Identifier: Apache-2.0
#include "plugins/event_hub.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "base/log.h"

namespace llama_gpu::plugins {

struct EventHub::Hook {
  Hook(PluginEventHook call, bool can_veto) : hook(std::move(call)), may_veto(can_veto) {}

  PluginEventHook hook;
  const bool may_veto;
  std::mutex running;  // held while it is called
  std::atomic<bool> is_gone{false};
};

EventHub::EventHub(const Clock& clock, std::chrono::milliseconds patience)
    : clock_(clock), patience_(patience), thread_(&EventHub::run, this) {}

EventHub::~EventHub() { stop(); }

std::shared_ptr<void> EventHub::add_hook(PluginEventHook hook, bool may_veto) {
  auto added = std::make_shared<Hook>(std::move(hook), may_veto);
  {
    const std::lock_guard lock(mutex_);
    hooks_.push_back(added);
  }
  // The token may outlive the hub, so it knows only the hook and the thread.
  return {added.get(), [added, hub_thread = thread_.get_id()](void*) mutable {
            added->is_gone = true;
            if (std::this_thread::get_id() != hub_thread) {
              const std::lock_guard wait_for_call(added->running);
            }
            added.reset();
          }};
}

void EventHub::emit(PluginEvent event) {
  event.is_before = false;
  push(std::move(event), nullptr);
}

Status EventHub::ask(PluginEvent event) {
  event.is_before = true;
  const std::string plugin = event.plugin;
  const auto answer = std::make_shared<Answer>();
  push(std::move(event), answer);
  std::unique_lock lock(mutex_);
  const bool is_given = changed_.wait_for(lock, patience_, [&] { return answer->is_given || is_stopping_; });
  if (answer->is_given) return answer->status;
  if (!is_given) log_warning("hooks of plugin events are slow: a change goes on", {{"plugin", plugin}});
  return {};
}

void EventHub::push(PluginEvent event, std::shared_ptr<Answer> answer) {
  const std::lock_guard lock(mutex_);
  event.sequence = ++last_sequence_;
  event.unix_milliseconds = clock_.unix_milliseconds();
  event.generation = generation_;
  kept_.push_back(event);
  if (kept_.size() > kKeptEvents) kept_.pop_front();
  if (is_stopping_ || (waiting_.size() >= kMaxWaiting && !answer)) return;
  waiting_.push_back({std::move(event), std::move(answer)});
  changed_.notify_all();
}

std::vector<PluginEvent> EventHub::events_after(uint64_t sequence) const {
  const std::lock_guard lock(mutex_);
  const auto first = std::find_if(kept_.begin(), kept_.end(),
                                  [&](const PluginEvent& event) { return event.sequence > sequence; });
  return {first, kept_.end()};
}

void EventHub::stop() {
  const std::lock_guard lock(stop_mutex_);
  {
    const std::lock_guard state_lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EventHub::run() {
  for (;;) {
    Item item;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      item = std::move(waiting_.front());
      waiting_.pop_front();
    }
    const Status status = tell(item.event);
    if (!item.answer) continue;
    const std::lock_guard lock(mutex_);
    item.answer->status = status;
    item.answer->is_given = true;
    changed_.notify_all();
  }
}

std::vector<std::shared_ptr<EventHub::Hook>> EventHub::hooks() {
  const std::lock_guard lock(mutex_);
  std::erase_if(hooks_, [](const std::weak_ptr<Hook>& hook) { return hook.expired(); });
  std::vector<std::shared_ptr<Hook>> all;
  all.reserve(hooks_.size());
  for (const std::weak_ptr<Hook>& hook : hooks_) {
    if (auto held = hook.lock()) all.push_back(std::move(held));
  }
  return all;
}

Status EventHub::tell(const PluginEvent& event) {
  Status veto;
  for (const std::shared_ptr<Hook>& hook : hooks()) {
    const std::lock_guard running(hook->running);
    if (hook->is_gone) continue;
    Status status;
    try {
      status = hook->hook(event);
    } catch (const std::exception& exception) {
      log_error("a hook of plugin events threw", {{"plugin", event.plugin}, {"error", exception.what()}});
    } catch (...) {
      log_error("a hook of plugin events threw", {{"plugin", event.plugin}});
    }
    if (status.ok() || !veto.ok()) continue;
    if (event.is_before && hook->may_veto) {
      veto = Error{ErrorCode::kPluginVetoed,
                   "a hook refused the change of '" + event.plugin + "': " + status.error().message};
    } else {
      log_warning("a hook of plugin events failed",
                  {{"plugin", event.plugin}, {"error", status.error().message}});
    }
  }
  return veto;
}

}  // namespace llama_gpu::plugins
