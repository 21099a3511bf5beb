// SPDX-License-Identifier: Apache-2.0
#include "base/failpoint.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/log.h"
#include "base/strings.h"

namespace llama_gpu {
namespace {

enum class Action : uint8_t { kError, kAbort, kSleep };

struct Failpoint {
  Action action = Action::kError;
  ErrorCode code = ErrorCode::kInternal;
  std::chrono::milliseconds sleep{0};
  std::optional<int64_t> only_call;  // counted from 1
  int64_t num_calls = 0;
};

using Failpoints = std::map<std::string, Failpoint, std::less<>>;

std::atomic<bool> any_set{false};
std::mutex failpoints_mutex;

Failpoints& failpoints() {
  static Failpoints map;
  return map;
}

Error bad_spec(std::string_view part, std::string_view why) {
  return Error{ErrorCode::kInvalidValue, "failpoint '" + std::string(part) + "': " + std::string(why),
               "write name=error[:code], name=abort or name=sleep:MILLISECONDS, each with an optional @N"};
}

std::optional<ErrorCode> find_code(std::string_view name) {
  for (const ErrorCodeInfo& info : kErrorCodes) {
    if (info.name == name) return info.code;
  }
  return std::nullopt;
}

// "error:disk_full", "abort", "sleep:100"
Result<Failpoint> parse_action(std::string_view part, std::string_view text) {
  const auto [kind, argument] = split_once(text, ':');
  Failpoint point;
  if (kind == "error") {
    if (argument.empty()) return point;
    const std::optional<ErrorCode> code = find_code(argument);
    if (!code) return bad_spec(part, "there is no such error code");
    point.code = *code;
  } else if (kind == "abort") {
    point.action = Action::kAbort;
  } else if (kind == "sleep") {
    const std::optional<int64_t> milliseconds = parse_integer(argument);
    if (!milliseconds || *milliseconds < 0 || *milliseconds > 600'000) {
      return bad_spec(part, "sleep wants milliseconds from 0 to 600000");
    }
    point.action = Action::kSleep;
    point.sleep = std::chrono::milliseconds(*milliseconds);
  } else {
    return bad_spec(part, "the action is none of error, abort, sleep");
  }
  return point;
}

Result<std::pair<std::string, Failpoint>> parse_part(std::string_view part) {
  const auto [name, rest] = split_once(part, '=');
  if (name.empty() || rest.empty()) return bad_spec(part, "a name and an action are expected");
  const auto [action, call] = split_once(rest, '@');
  TRY(Failpoint point, parse_action(part, action));
  if (rest.find('@') != std::string_view::npos) {
    const std::optional<int64_t> number = parse_integer(call);
    if (!number || *number < 1) return bad_spec(part, "@ wants the number of a call, from 1");
    point.only_call = number;
  }
  return std::pair{std::string(name), point};
}

// The failpoint to act on now, with its call counted.
std::optional<Failpoint> hit(std::string_view name) {
  const std::lock_guard lock(failpoints_mutex);
  const auto found = failpoints().find(name);
  if (found == failpoints().end()) return std::nullopt;
  Failpoint& point = found->second;
  ++point.num_calls;
  if (point.only_call && point.num_calls != *point.only_call) return std::nullopt;
  return point;
}

}  // namespace

Status failpoint(std::string_view name) {
  if (!any_set.load(std::memory_order_relaxed)) [[likely]]
    return {};
  const std::optional<Failpoint> point = hit(name);
  if (!point) return {};
  switch (point->action) {
    case Action::kError:
      return Error{point->code, "failpoint '" + std::string(name) + "'"};
    case Action::kAbort:
      std::abort();
    case Action::kSleep:
      log_info("a failpoint sleeps", {{"name", name}, {"milliseconds", point->sleep.count()}});
      std::this_thread::sleep_for(point->sleep);
      return {};
  }
  return {};
}

Status set_failpoints(std::string_view spec) {
  Failpoints parsed;
  for (std::string_view part : split(spec, ';')) {
    if (part.empty()) continue;
    TRY(auto point, parse_part(part));
    parsed.insert(std::move(point));
  }
  const std::lock_guard lock(failpoints_mutex);
  any_set = !parsed.empty();
  failpoints() = std::move(parsed);
  return {};
}

ScopedFailpoints::ScopedFailpoints(std::string_view spec) {
  CHECK(set_failpoints(spec).ok(), "a test set failpoints that cannot be read");
}

ScopedFailpoints::~ScopedFailpoints() { CHECK(set_failpoints("").ok(), "clearing failpoints cannot fail"); }

}  // namespace llama_gpu
