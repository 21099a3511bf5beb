// SPDX-License-Identifier: Apache-2.0
#include "plugins/plugin_session.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/strings.h"
#include "telemetry/process_memory.h"

namespace llama_gpu::plugins {
namespace {

using std::chrono::milliseconds;
using supervisor::encode_frame;
using supervisor::ExitKind;
using supervisor::FrameKind;

constexpr milliseconds kHealthPeriod{1'000};
// Between the first look at a late call and the kill: what lies in the socket is read meanwhile.
constexpr milliseconds kLateGrace{20};
// The most that counts between two looks: a server that did not run itself blames nobody for it.
constexpr milliseconds kLongestGap{1'000};
// From the word that it may end to the kill.
constexpr milliseconds kEndPatience{2'000};

Error session_error(std::string reason) { return {ErrorCode::kPluginFailed, std::move(reason)}; }

std::string seconds_text(milliseconds duration) {
  return format_seconds(static_cast<double>(duration.count()) / 1000);
}

// How a process ended that nobody had said a word about.
std::string describe_exit(const supervisor::WorkerExit& exit) {
  if (exit.kind == ExitKind::kNotStarted) return exit.message;
  if (exit.kind == ExitKind::kOutOfMemory) return "there was not enough memory";
  if (exit.signal != 0) {
    const char* const name = ::sigabbrev_np(exit.signal);
    return "it was ended by " +
           (name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(exit.signal));
  }
  return exit.exit_code != 0 ? "it exited with code " + std::to_string(exit.exit_code)
                             : "it exited by itself";
}

}  // namespace

PluginSession::PluginSession(Plugin plugin, Listener& listener, const Clock& clock)
    : plugin_(std::move(plugin)), listener_(listener), clock_(clock) {}

// ---- calls

void PluginSession::filter_request(FilterCall call, std::function<void(Result<FilterVerdict>)> done) {
  if (!takes_calls()) {
    ++cost_.failures;
    return done(session_error("it does not run now"));
  }
  const auto limit = static_cast<size_t>(plugin_.manifest.limits.concurrent_calls);
  if (waiting_.size() >= limit) {
    ++cost_.failures;
    return done(Error{ErrorCode::kOverloaded,
                      "the plugin '" + plugin_.manifest.id + "' has more calls than it can hold",
                      "send the request again in a moment"});
  }
  const SteadyTime deadline = clock_.now() + plugin_.manifest.limits.call_timeout;
  waiting_.push_back({std::move(call), std::move(done), deadline});
  send_waiting();
}

void PluginSession::send_waiting() {
  const auto limit = static_cast<size_t>(plugin_.manifest.limits.concurrent_calls);
  while (!waiting_.empty() && open_.size() < limit && is_active_) {
    if (!send(waiting_.front())) return;
    // What could not be sent was answered, maybe with new calls behind it.
  }
}

bool PluginSession::send(Call& front) {
  const uint64_t id = ++last_id_;
  const milliseconds timeout = plugin_.manifest.limits.call_timeout;
  const Result<std::string> frame =
      encode_frame(FrameKind::kControl, encode_filter_request(id, front.call, timeout.count()));
  if (!frame.ok()) {
    Call call = std::move(front);
    waiting_.pop_front();
    ++cost_.failures;
    call.done(frame.error());
    return true;
  }
  if (!link_->send(*frame).ok()) return false;
  Call call = std::move(front);
  waiting_.pop_front();
  call.sent_at = clock_.now();
  call.deadline = call.sent_at + timeout;
  open_.emplace(id, std::move(call));
  return true;
}

void PluginSession::finish(Call call, Result<FilterVerdict> verdict) {
  const double seconds = std::chrono::duration<double>(clock_.now() - call.sent_at).count();
  ++cost_.calls;
  cost_.busy_seconds += seconds;
  if (!verdict.ok()) ++cost_.failures;
  listener_.on_call(seconds, !verdict.ok());
  const auto done = std::move(call.done);
  done(std::move(verdict));
}

void PluginSession::fail_all(const std::string& reason) {
  std::map<uint64_t, Call> open = std::exchange(open_, {});
  const std::deque<Call> waiting = std::exchange(waiting_, {});
  for (auto& [id, call] : open) finish(std::move(call), session_error(reason));
  for (const Call& call : waiting) {
    ++cost_.failures;
    call.done(session_error(reason));
  }
}

void PluginSession::tell(std::string_view event_json) {
  if (!is_active_) return;
  const Result<std::string> frame = encode_frame(FrameKind::kControl, encode_event(event_json));
  // A listener that is far behind misses events.
  if (frame.ok()) (void)link_->send(*frame);
}

// ---- the worker's life

void PluginSession::request(std::string_view payload) {
  const Result<std::string> frame = encode_frame(FrameKind::kControl, payload);
  // Only a config can make a message of ours too large.
  if (!frame.ok()) return fail_start("start_failed", frame.error());
  link_->send_always(*frame);
}

void PluginSession::on_spawned() {
  is_active_ = has_log_ = was_greeted_ = was_active_ = false;
  self_test_id_ = health_id_ = 0;
  fault_.reset();
  told_to_end_.reset();
  failing_.clear();
  last_tick_ = clock_.now();
  listener_.on_starting();
  initialize_id_ = ++last_id_;
  request(encode_initialize(initialize_id_, plugin_.manifest, plugin_.config, plugin_.data_folder));
}

void PluginSession::on_load() {
  was_greeted_ = true;
  listener_.on_probing();
  self_test_id_ = ++last_id_;
  request(encode_self_test(self_test_id_));
}

void PluginSession::on_ready() {
  was_active_ = true;
  is_active_ = !is_draining_;
  health_asked_ = clock_.now();
  is_new_ = false;
  if (!is_active_) return;
  listener_.on_active();
  send_waiting();
}

void PluginSession::fail_start(std::string reason_code, const Error& error) {
  fault_ = Fault{std::move(reason_code), error.message};
  send_shutdown();
  link_->report_load_failed(session_error(error.message));
}

Status PluginSession::break_with(std::string reason) {
  fault_ = Fault{"protocol_broken", reason};
  is_active_ = false;
  return Error{ErrorCode::kProtocolError, std::move(reason)};
}

Status PluginSession::on_frame(const supervisor::Frame& frame) {
  if (fault_) return {};  // it ends: what it still says counts for nothing
  if (frame.kind != FrameKind::kControl) return break_with("it sent a frame of a kind that it must not send");
  Result<PluginMessage> message = decode_plugin_message(frame.payload);
  if (!message.ok()) return break_with(message.error().message);
  // Whatever it says shows that it lives.
  link_->report_heartbeat(/*is_busy=*/false, /*progress=*/0);
  if (const auto* line = std::get_if<PluginLogLine>(&*message)) return listener_.on_log(*line), Status();
  return on_reply(std::get<PluginReply>(*message));
}

Status PluginSession::on_reply(const PluginReply& reply) {
  const uint64_t id = reply.id;
  if (id == 0) return break_with("it answered with id 0, which nobody asked");
  if (id == initialize_id_) return on_initialized(reply.result);
  if (id == self_test_id_) return on_self_test(reply.result);
  if (id == health_id_) return on_health(reply.result);
  auto call = open_.extract(id);
  if (call.empty()) return break_with("it answered with id " + std::to_string(id) + ", which nobody asked");
  return on_verdict(std::move(call.mapped()), reply.result);
}

Status PluginSession::on_initialized(const Result<Json>& result) {
  initialize_id_ = 0;
  const Status status = result.ok() ? check_initialized(*result, plugin_.manifest) : Status(result.error());
  if (status.ok()) {
    link_->report_greeted();
  } else {
    fail_start("start_failed", status.error());
  }
  return {};
}

Status PluginSession::on_self_test(const Result<Json>& result) {
  self_test_id_ = 0;
  const Status status = result.ok() ? check_self_test(*result) : Status(result.error());
  if (status.ok()) {
    link_->report_loaded();
  } else {
    fail_start("self_test_failed", status.error());
  }
  return {};
}

Status PluginSession::on_health(const Result<Json>& result) {
  health_id_ = 0;
  const Status status = result.ok() ? check_health(*result) : Status(result.error());
  if (!status.ok() && status.error().code == ErrorCode::kProtocolError)
    return break_with(status.error().message);
  const std::string failing = status.ok() ? "" : status.error().message;
  if (failing != std::exchange(failing_, failing)) listener_.on_health(failing_);
  return {};
}

Status PluginSession::on_verdict(Call call, const Result<Json>& result) {
  if (!result.ok()) {
    finish(std::move(call), session_error(result.error().message));
  } else {
    Result<FilterVerdict> verdict = read_filter_verdict(*result, call.call);
    if (!verdict.ok()) {
      const std::string reason = verdict.error().message;
      const Status broken = break_with(reason);
      finish(std::move(call), session_error(reason));
      return broken;
    }
    finish(std::move(call), std::move(verdict));
  }
  send_waiting();
  return {};
}

void PluginSession::on_log_line(const std::string& line) {
  listener_.on_stderr(line, !std::exchange(has_log_, true));
}

// ---- time

void PluginSession::on_tick(SteadyTime now) {
  const auto gap = now - std::exchange(last_tick_, now);
  if (gap > kLongestGap) {
    for (auto& [id, call] : open_) call.deadline += gap - kLongestGap;
    if (told_to_end_) *told_to_end_ += gap - kLongestGap;
  }
  check_deadlines(now);
  check_start(now);
  if (is_active_) ask_health(now);
  if (is_draining_ && was_active_ && num_open_calls() == 0 && !told_to_end_) send_shutdown();
  if (is_draining_ && told_to_end_ && now - *told_to_end_ >= kEndPatience && !fault_)
    end_it({"stopped", "it did not end within " + seconds_text(kEndPatience) + " of being told to"});
}

milliseconds PluginSession::until_next_tick() const {
  auto wait = std::chrono::duration_cast<SteadyTime::duration>(milliseconds(1'000));
  const SteadyTime now = clock_.now();
  // All have the same time, so the oldest is the first that is late.
  if (!open_.empty()) {
    const Call& oldest = open_.begin()->second;
    wait = std::min(wait, oldest.deadline - now + (oldest.is_late ? kLateGrace : milliseconds(0)));
  }
  if (!is_active_ && !waiting_.empty()) wait = std::min(wait, waiting_.front().deadline - now);
  return std::max(std::chrono::ceil<milliseconds>(wait), milliseconds(1));
}

void PluginSession::check_deadlines(SteadyTime now) {
  if (open_.empty() || fault_) return;
  const auto oldest = open_.begin();
  if (now < oldest->second.deadline) return;
  if (!std::exchange(oldest->second.is_late, true) || now < oldest->second.deadline + kLateGrace) return;
  const std::string reason = "it did not answer within " + seconds_text(plugin_.manifest.limits.call_timeout);
  auto late = open_.extract(oldest);
  end_it({"timed_out", reason});
  finish(std::move(late.mapped()), session_error(reason));
  fail_all("it was ended: " + reason);
}

void PluginSession::check_start(SteadyTime now) {
  while (!is_active_ && !waiting_.empty() && now >= waiting_.front().deadline) {
    const Call call = std::move(waiting_.front());
    waiting_.pop_front();
    ++cost_.failures;
    call.done(session_error("it has not started yet"));
  }
}

void PluginSession::end_it(Fault fault) {
  is_active_ = false;
  fault_ = std::move(fault);
  link_->report_fault(session_error(fault_->reason));
}

void PluginSession::ask_health(SteadyTime now) {
  if (health_id_ != 0 || now - health_asked_ < kHealthPeriod) return;
  health_asked_ = now;
  health_id_ = ++last_id_;
  request(encode_health(health_id_));
}

// ---- the end

void PluginSession::send_shutdown() {
  told_to_end_ = clock_.now();
  const Result<std::string> frame = encode_frame(FrameKind::kControl, encode_shutdown());
  if (frame.ok()) link_->send_always(*frame);
}

void PluginSession::on_drain() {
  is_draining_ = true;
  if (num_open_calls() == 0) send_shutdown();
}

PluginSession::Fault PluginSession::explain(const supervisor::WorkerExit& exit, bool was_its_fault) const {
  if (fault_) return *fault_;
  if (exit.kind == ExitKind::kStopped) return {"stopped", "it was told to stop"};
  const std::string timeout = seconds_text(plugin_.manifest.limits.start_timeout);
  if (exit.kind == ExitKind::kHung && was_active_) return {"timed_out", exit.message};
  if (exit.kind == ExitKind::kHung && was_greeted_)
    return {"self_test_failed", "it did not end its self-test within " + timeout};
  if (exit.kind == ExitKind::kHung) return {"start_failed", "it did not say hello within " + timeout};
  // Killed, and not from outside: by the supervisor, for frames that it could not read.
  if (exit.kind == ExitKind::kCrashed && exit.signal == SIGKILL && was_its_fault)
    return {"protocol_broken", exit.message};
  return {was_active_ ? "crashed" : "start_failed", describe_exit(exit)};
}

void PluginSession::on_exit(const supervisor::WorkerExit& exit, supervisor::WorkerState next,
                            bool was_its_fault) {
  const Fault why = explain(exit, was_its_fault);
  is_active_ = is_new_ = false;
  initialize_id_ = self_test_id_ = health_id_ = 0;
  listener_.on_ended({.exit = exit,
                      .reason_code = why.reason_code,
                      .reason = why.reason,
                      .will_restart = next == supervisor::WorkerState::kBackoff,
                      .was_its_fault = was_its_fault});
  fail_all(why.reason);
}

void PluginSession::describe(supervisor::WorkerStatus& status) const {
  if (status.pid == 0) return;
  if (const auto memory = telemetry::process_memory(status.pid); memory.ok())
    status.memory_bytes = memory->resident;
}

}  // namespace llama_gpu::plugins
