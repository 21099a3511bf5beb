// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>

#include "supervisor/engine_protocol.h"

namespace llama_gpu::supervisor {

// What calls share a queue on their way to a worker. Those that take long to read, megabytes for seconds,
// wait for each other only.
enum class CallLane : uint8_t { kPrompts, kLongPrompts, kTexts, kLongTexts };
inline constexpr size_t kNumCallLanes = 4;

// The lane of a call: texts are what is not generated from; long is what has 64 KiB or more.
CallLane lane_of(const CallBody& call);

// Decides which call is sent next: in order of arrival within a lane, prompts first, and no more of the other
// lanes than the worker needs to be kept busy; so a queue of long texts stays where a call can still be taken
// back, and never stands in front of a prompt. Pure; one thread.
class CallLanes {
 public:
  // Lets a call wait to be sent. Ids grow with arrival; a call that was refused comes back under its own.
  void push(uint64_t id, CallLane lane) { waiting_[index(lane)].insert(id); }

  // The call to be sent now: waiting, with room in its lane. It stays until it is marked as sent or taken
  // back.
  std::optional<uint64_t> next() const;
  void mark_sent(uint64_t id);

  // The answer to a call has come. False where none was awaited.
  bool mark_answered(uint64_t id);

  // Takes a waiting call back; of one that was sent the answer is still awaited. Unknown ids are ignored.
  void take_back(uint64_t id);

  // The worker is gone: it will answer nothing.
  void forget_sent();

 private:
  static size_t index(CallLane lane) { return static_cast<size_t>(lane); }

  std::array<std::set<uint64_t>, kNumCallLanes> waiting_;
  std::unordered_map<uint64_t, CallLane> sent_;  // not answered yet
  std::array<size_t, kNumCallLanes> num_sent_{};
};

}  // namespace llama_gpu::supervisor
