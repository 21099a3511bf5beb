// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llama_gpu::plugins {

// Where a plugin is in its life.
//
//   discovered -> validated -> resolved -> starting -> probing -> active -> draining -> stopped
//                     '------------'-----------'----------'----------'---> failed, quarantined
enum class PluginState : uint8_t {
  kDiscovered,   // its package is in the store, or in a folder that is watched
  kValidated,    // its manifest and files are good
  kResolved,     // what it needs is there
  kStarting,     // its process starts
  kProbing,      // it says hello and tests itself
  kActive,       // its hooks are called
  kDraining,     // it finishes what runs
  kStopped,      // disabled
  kFailed,       // it cannot run now; it is tried again, or waits for a change
  kQuarantined,  // these bytes must not run again until released
};
std::string_view plugin_state_name(PluginState state);

// One change of one plugin, before it happens or after. `reason_code` is stable: programs branch on it;
// `reason` is for people.
struct PluginEvent {
  uint64_t sequence = 0;  // grows by one in a host's life
  int64_t unix_milliseconds = 0;
  std::string plugin = {};  // id; empty for the set as a whole
  std::string version = {};
  PluginState from = PluginState::kDiscovered, to = PluginState::kDiscovered;
  bool is_before = false;  // pre-hook: it will happen unless vetoed
  uint64_t generation = 0;
  std::string reason_code = {};
  std::string reason = {};
};

// The event as one JSON object, as the API, webhooks and plugins see it.
std::string to_json(const PluginEvent& event);

// Hears of events, in order. A pre-event may be vetoed by an error where PluginManager says so; what a hook
// throws, or takes too long for, hurts nobody else. Called on the manager's thread.
using PluginEventHook = std::function<Status(const PluginEvent&)>;

}  // namespace llama_gpu::plugins
