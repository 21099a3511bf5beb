// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llama_gpu {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : uint8_t { kText, kJson };

// A value beside an event: {"request_id", id}. Holds its own text.
struct LogField {
  std::string_view key;  // a literal
  std::string value;
  bool is_text = true;  // false: a number or truth value, written bare in JSON

  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, const std::string& text) : key(name), value(text) {}
  LogField(std::string_view name, const char* text) : key(name), value(text) {}
  LogField(std::string_view name, bool truth) : key(name), value(truth ? "true" : "false"), is_text(false) {}
  template <std::integral T>
  LogField(std::string_view name, T number) : key(name), value(std::to_string(number)), is_text(false) {}
  LogField(std::string_view name, double number);
};

// How the process logs; set once by main, before threads start.
struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  bool use_colour = false;                               // of the level, in text
  std::function<void(std::string_view line)> sink = {};  // instead of stderr; for tests; called under a lock
};

// Thread-safe, but events of other threads go to either the old or the new place.
void configure_logging(LogOptions options);

// One event: one line on stderr, whatever its values hold (see escape_line); each value is cut at 4 KiB.
// `message` is a sentence of ours; what comes from outside goes into fields. Never a prompt, a key or a
// secret. Thread-safe.
void log_event(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

// log_event of each level.
inline void log_debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log_event(LogLevel::kDebug, message, fields);
}
inline void log_info(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log_event(LogLevel::kInfo, message, fields);
}
inline void log_warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log_event(LogLevel::kWarning, message, fields);
}
inline void log_error(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log_event(LogLevel::kError, message, fields);
}

// Whether an event of this level is written: ask before building costly fields.
bool log_enabled(LogLevel level);

// "debug", "info", "warning", "error"
std::optional<LogLevel> parse_log_level(std::string_view name);

// An event on its way to a line, for tests of the form.
struct LogEvent {
  LogLevel level = LogLevel::kInfo;
  int64_t unix_milliseconds = 0;
  std::string_view message;
  std::initializer_list<LogField> fields;
};

// The line of an event, without a line end.
std::string format_log_line(const LogEvent& event, LogFormat format, bool use_colour);

}  // namespace llama_gpu
