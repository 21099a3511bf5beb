// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "plugins/plugin_event.h"

namespace llama_gpu::plugins {

// Numbers events, keeps the last of them, and tells the hooks on a thread of its own: a hook that throws,
// fails or takes its time delays nothing but the hooks after it. Thread-safe.
class EventHub {
 public:
  static constexpr size_t kKeptEvents = 1'000;
  // Hooks that are further behind miss events.
  static constexpr size_t kMaxWaiting = 10'000;

  // `clock` outlives the hub. A pre-event that is not answered within `patience` counts as not vetoed.
  explicit EventHub(const Clock& clock, std::chrono::milliseconds patience = std::chrono::seconds(5));
  ~EventHub();

  // See PluginManager::add_hook. Once the token is destroyed the hook is not called, nor running (but where
  // it destroys its own token).
  std::shared_ptr<void> add_hook(PluginEventHook hook, bool may_veto);

  // Of the set, for all events from now on.
  void set_generation(uint64_t number) { generation_ = number; }
  uint64_t generation() const { return generation_; }
  // Tells of what has happened; sets sequence, time, and generation. Never blocks.
  void emit(PluginEvent event);
  // Tells of what will happen, and waits: the first veto, as kPluginVetoed. Not on the hub's thread.
  Status ask(PluginEvent event);
  std::vector<PluginEvent> events_after(uint64_t sequence) const;

  // Tells what waits, and no more. Waits for the hooks.
  void stop();

 private:
  struct Hook;
  struct Answer {
    bool is_given = false;
    Status status = {};  // guarded by the hub's mutex_, both
  };
  struct Item {
    PluginEvent event;
    std::shared_ptr<Answer> answer;  // null: nobody waits
  };

  void push(PluginEvent event, std::shared_ptr<Answer> answer);
  void run();
  Status tell(const PluginEvent& event);
  std::vector<std::shared_ptr<Hook>> hooks();

  const Clock& clock_;
  const std::chrono::milliseconds patience_;
  std::atomic<uint64_t> generation_{0};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  uint64_t last_sequence_ = 0;
  std::deque<PluginEvent> kept_;
  std::deque<Item> waiting_;
  std::vector<std::weak_ptr<Hook>> hooks_;
  bool is_stopping_ = false;
  std::mutex stop_mutex_;  // one stop() at a time
  std::thread thread_;
};

}  // namespace llama_gpu::plugins
