// SPDX-License-Identifier: Apache-2.0
#include "plugins/plugin_worker.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "plugins/sandbox.h"

namespace llama_gpu::plugins {
namespace {

using std::chrono::milliseconds;

// Of a failed start, in the error that whoever asked for it reads.
constexpr size_t kErrorLogLines = 5;
// What goes into our log from one plugin in a second; the last lines are kept of all.
constexpr size_t kMaxLogBytesPerSecond = size_t{1} << 20;

std::string last_lines(std::string_view log_tail) {
  std::vector<std::string_view> lines = split(trim(log_tail), '\n');
  // What the sandbox reports stands first and is no word of the plugin.
  std::erase_if(lines, [](std::string_view line) { return parse_sandbox_line(line).has_value(); });
  if (lines.size() > kErrorLogLines) lines.erase(lines.begin(), lines.end() - kErrorLogLines);
  return join(lines, " | ");
}

PluginSession::Plugin session_plugin(const PluginWorker::Spec& spec) {
  return {.manifest = spec.package.manifest, .config = spec.plugin.config, .data_folder = spec.data_folder};
}

}  // namespace

supervisor::WorkerPolicy worker_policy(const PluginLimits& limits, milliseconds drain_timeout) {
  supervisor::WorkerPolicy policy;
  policy.handshake_timeout = policy.load_timeout = limits.start_timeout;
  policy.unready_silence = limits.call_timeout + milliseconds(2'000);
  // An interpreter that works on calls answers nothing else, and every answer counts.
  policy.hung_silence = std::max(limits.call_timeout, limits.start_timeout) + milliseconds(5'000);
  policy.drain_timeout = drain_timeout;
  policy.kill_grace = milliseconds(500);
  policy.first_backoff = milliseconds(100);
  policy.longest_backoff = policy.longest_crash_backoff = milliseconds(30'000);
  return policy;
}

PluginWorker::PluginWorker(Spec spec, const Surroundings& with)
    : spec_(std::move(spec)), with_(with), session_(session_plugin(spec_), *this, with.clock) {}

// ---- its role

void PluginWorker::begin_service(std::optional<InstalledPlugin> previous) {
  is_serving_ = true;
  for (std::string& line : early_lines_) with_.table.add_log_line(spec_.plugin.id, std::move(line));
  early_lines_.clear();
  previous_ = std::move(previous);
  watched_until_ = with_.clock.now() + spec_.limits.watch_window;
}

void PluginWorker::begin_leaving(const std::string& reason_code) {
  is_leaving_ = true;
  enter({PluginState::kDraining, reason_code, ""});
}

void PluginWorker::note_gone() { enter({PluginState::kStopped, state_.reason_code, ""}); }

void PluginWorker::enter(StateReason to) {
  const PluginState from = std::exchange(state_, std::move(to)).state;
  const std::optional<PluginTable::Row> row = with_.table.row(spec_.plugin.id);
  // The row tells of it where it is this worker's; of others there are events only.
  if (row && row->worker_id == spec_.id) return with_.table.enter(spec_.plugin.id, spec_.id, state_);
  with_.events.emit({.plugin = spec_.plugin.id,
                     .version = spec_.plugin.version,
                     .from = from,
                     .to = state_.state,
                     .reason_code = state_.reason_code,
                     .reason = state_.reason});
}

void PluginWorker::try_ended(Status outcome) {
  if (!std::exchange(was_tried_, true)) with_.owner.on_tried(*this, std::move(outcome));
}

// ---- what its session tells

void PluginWorker::on_starting() {
  is_end_counted_ = false;
  if (!is_leaving_) enter({PluginState::kStarting});
}

void PluginWorker::on_probing() {
  if (!is_leaving_) enter({PluginState::kProbing});
}

void PluginWorker::on_active() {
  if (!is_leaving_) enter({PluginState::kActive});
  try_ended({});
}

void PluginWorker::on_ended(const PluginEnd& end) {
  if (!is_leaving_) {
    const bool is_told_to = end.reason_code == "stopped" && !end.will_restart;
    enter({is_told_to ? PluginState::kStopped : PluginState::kFailed, end.reason_code, end.reason});
    with_.table.set_circuit(spec_.plugin.id, spec_.id, breaker_.is_open());
  }
  try_ended(failed_trial(end));
  if (!is_leaving_ && end.was_its_fault) judge_end(end);
}

Error PluginWorker::failed_trial(const PluginEnd& end) const {
  std::string message =
      "the plugin '" + spec_.plugin.id + "' " + spec_.plugin.version + " did not start: " + end.reason;
  if (const std::string lines = last_lines(end.exit.log_tail); !lines.empty())
    message += "; its last lines: " + lines;
  return {ErrorCode::kPluginFailed, std::move(message), "nothing was changed"};
}

void PluginWorker::on_health(const std::string& failing) {
  if (!is_leaving_) with_.table.set_health(spec_.plugin.id, spec_.id, failing);
}

void PluginWorker::on_log(const PluginLogLine& line) {
  const std::string text = escape_line(line.message);
  const SteadyTime now = with_.clock.now();
  if (now - log_period_start_ >= std::chrono::seconds(1)) {
    log_period_start_ = now;
    log_period_bytes_ = 0;
  }
  log_period_bytes_ += text.size();
  if (log_period_bytes_ <= kMaxLogBytesPerSecond)
    log_info("a plugin says", {{"plugin", spec_.plugin.id}, {"level", line.level}, {"line", text}});
  keep_line(text);
}

void PluginWorker::on_stderr(const std::string& line, bool is_first) {
  // Later lines are the plugin's own: it may claim what it likes.
  if (is_first) {
    if (std::optional<std::vector<LayerReport>> reports = parse_sandbox_line(line)) {
      sandbox_ = *std::move(reports);
      return with_.table.set_sandbox(spec_.plugin.id, spec_.id, sandbox_);
    }
  }
  keep_line(line);
}

// Until it serves, the log in its row is that of another.
void PluginWorker::keep_line(std::string line) {
  if (is_serving_) return with_.table.add_log_line(spec_.plugin.id, std::move(line));
  early_lines_.push_back(std::move(line));
  if (early_lines_.size() > PluginTable::kLogLines) early_lines_.pop_front();
}

void PluginWorker::on_call(double seconds, bool has_failed) {
  with_.table.count_call(spec_.plugin.id, seconds, has_failed);
}

// ---- failures

bool PluginWorker::is_watched() const {
  return is_serving_ && previous_.has_value() && with_.clock.now() < watched_until_;
}

void PluginWorker::judge_end(const PluginEnd& end) {
  const SteadyTime now = with_.clock.now();
  ends_.push_back(now);
  while (now - ends_.front() > spec_.limits.crash_window) ends_.pop_front();
  if (!is_serving_) return;
  const auto count = static_cast<int>(ends_.size());
  const std::string times = std::to_string(count) + " times; last: " + end.reason;
  if (is_watched() && count >= spec_.limits.watch_limit) {
    give_up(Remedy::kRollBack, "it ended " + times);
  } else if (count >= spec_.limits.crash_limit) {
    give_up(Remedy::kQuarantine, "it ended " + times);
  }
}

void PluginWorker::give_up(Remedy remedy, const std::string& reason) {
  if (!std::exchange(is_given_up_, true)) with_.owner.on_given_up(*this, remedy, reason);
}

void PluginWorker::filter_request(const FilterCall& call, std::function<void(Result<FilterVerdict>)> done) {
  const std::string& plugin = spec_.plugin.id;
  if (!session_.takes_calls()) {
    with_.table.count_failure(plugin);
    return done(Error{ErrorCode::kPluginFailed, "it does not run now"});
  }
  if (!breaker_.allows(with_.clock.now())) {
    with_.table.count_failure(plugin);
    return done(Error{ErrorCode::kPluginFailed, "its last calls failed, and it is not called for a while"});
  }
  session_.filter_request(call, [this, done = std::move(done)](Result<FilterVerdict> verdict) {
    settle(verdict);
    done(std::move(verdict));
  });
}

void PluginWorker::settle(const Result<FilterVerdict>& verdict) {
  const std::string& plugin = spec_.plugin.id;
  if (verdict.ok()) {
    breaker_.on_success();
    if (verdict->rejection) with_.table.count_rejection(plugin);
  } else if (verdict.error().code != ErrorCode::kPluginFailed) {
    breaker_.on_neither();
    with_.table.count_failure(plugin);
  } else if (!session_.is_active() && std::exchange(is_end_counted_, true)) {
    // One end is one failure, however many calls it took with it.
    breaker_.on_neither();
  } else if (breaker_.on_failure(with_.clock.now())) {
    log_warning("the circuit of a plugin opens", {{"plugin", plugin}, {"error", verdict.error().message}});
    if (is_watched() && !is_leaving_)
      give_up(Remedy::kRollBack, "its calls failed one after the other; last: " + verdict.error().message);
  }
  with_.table.set_circuit(plugin, spec_.id, breaker_.is_open());
}

}  // namespace llama_gpu::plugins
