// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/strings.h"

namespace llama_gpu {
namespace {

struct LevelInfo {
  std::string_view name;
  std::string_view colour;
};
constexpr std::array<LevelInfo, 4> kLevels = {
    {{"debug", "\x1b[2m"}, {"info", "\x1b[32m"}, {"warning", "\x1b[33m"}, {"error", "\x1b[31m"}}};

constexpr size_t kMaxValueBytes = 4096;

// spdlog's own patterns do not escape: the lines come ready and are only ended here.
class ReadyLineFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    out.append(message.payload.begin(), message.payload.end());
    out.push_back('\n');
  }
  std::unique_ptr<formatter> clone() const override { return std::make_unique<ReadyLineFormatter>(); }
};

// Hands lines to a function.
class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    write_(std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}

  std::function<void(std::string_view)> write_;
};

// The process's one logger: the only state that may be reached without being passed, because an event can
// happen anywhere.
struct LogState {
  std::atomic<LogLevel> level{LogLevel::kInfo};
  std::mutex mutex;
  LogFormat format = LogFormat::kText;  // guarded by mutex, as the rest
  bool use_colour = false;
  std::shared_ptr<spdlog::logger> logger = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>());

  static std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
    auto logger = std::make_shared<spdlog::logger>("llama-gpu", std::move(sink));
    logger->set_formatter(std::make_unique<ReadyLineFormatter>());
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::trace);
    return logger;
  }
};

LogState& state() {
  // Never destroyed: threads may log while the process ends.
  static auto* const the_state = new LogState();
  return *the_state;
}

// A value in text: bare where that is unambiguous, else in quotes.
std::string text_value(const LogField& field) {
  std::string value = escape_line(field.value, kMaxValueBytes);
  if (!value.empty() && value.find_first_of(" \"=") == std::string::npos) return value;
  std::string quoted = "\"";
  for (char c : value) quoted.append(c == '"' ? "\\\"" : std::string(1, c));
  return quoted + '"';
}

std::string json_value(const LogField& field) {
  if (!field.is_text) return field.value;
  const std::string_view kept = utf8_prefix(field.value, kMaxValueBytes);
  if (kept.size() == field.value.size()) return json_string(kept);
  return json_string(fmt::format("{}...(+{} bytes)", kept, field.value.size() - kept.size()));
}

std::string json_line(const LogEvent& event, std::string_view level) {
  std::string line =
      fmt::format(R"({{"time":"{}","level":"{}","message":{})", format_utc(event.unix_milliseconds), level,
                  json_value({"message", event.message}));
  for (const LogField& field : event.fields) line += "," + json_string(field.key) + ":" + json_value(field);
  return line + "}";
}

}  // namespace

// JSON has no numbers that are not finite.
LogField::LogField(std::string_view name, double number)
    : key(name), value(fmt::format("{:.6g}", number)), is_text(!std::isfinite(number)) {}

void configure_logging(LogOptions options) {
  LogState& log = state();
  const std::lock_guard lock(log.mutex);
  log.level = options.level;
  log.format = options.format;
  log.use_colour = options.use_colour;
  spdlog::sink_ptr sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (options.sink) sink = std::make_shared<FunctionSink>(std::move(options.sink));
  log.logger = LogState::make_logger(std::move(sink));
}

void log_event(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!log_enabled(level)) return;
  LogState& log = state();
  const LogEvent event{level, system_clock().unix_milliseconds(), message, fields};
  std::shared_ptr<spdlog::logger> logger;
  LogFormat format;
  bool use_colour;
  {
    const std::lock_guard lock(log.mutex);
    logger = log.logger;
    format = log.format;
    use_colour = log.use_colour;
  }
  const std::string line = format_log_line(event, format, use_colour);
  logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

bool log_enabled(LogLevel level) { return level >= state().level.load(std::memory_order_relaxed); }

std::optional<LogLevel> parse_log_level(std::string_view name) {
  for (size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i].name == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

std::string format_log_line(const LogEvent& event, LogFormat format, bool use_colour) {
  const LevelInfo& level = kLevels[static_cast<size_t>(event.level)];
  if (format == LogFormat::kJson) return json_line(event, level.name);
  const std::string_view colour = use_colour ? level.colour : "", reset = use_colour ? "\x1b[0m" : "";
  std::string line = fmt::format("{} {}{:<7}{} {}", format_utc(event.unix_milliseconds), colour, level.name,
                                 reset, escape_line(event.message, kMaxValueBytes));
  for (const LogField& field : event.fields) line += fmt::format(" {}={}", field.key, text_value(field));
  return line;
}

}  // namespace llama_gpu
