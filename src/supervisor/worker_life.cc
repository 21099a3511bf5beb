// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker_life.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

#include "base/strings.h"

namespace llama_gpu::supervisor {
namespace {

// The most that counts between two events.
constexpr milliseconds kLongestCharge{1'000};
constexpr milliseconds kTickPeriod{250};

using Kind = WorkerAction::Kind;

// Errors that the next try would meet again: the file or the settings must change first.
bool is_permanent(ErrorCode code) {
  switch (code) {
    case ErrorCode::kModelInvalid:
    case ErrorCode::kModelTruncated:
    case ErrorCode::kUnsupportedModel:
    case ErrorCode::kTokenizerInvalid:
    case ErrorCode::kTemplateError:
    case ErrorCode::kInvalidValue:
    case ErrorCode::kConfigInvalid:
    case ErrorCode::kNumericError:
      return true;
    default:
      return false;
  }
}

// How a process ended that had not said why.
std::string describe_end(const ProcessEnd& end) {
  // A worker has no other reason to exit with this code before it said so: see app/fault_report.h.
  const bool lost_its_file =
      end.signal == SIGBUS ||
      (end.signal == 0 && end.exit_code == error_code_info(ErrorCode::kModelChanged).exit_code);
  if (lost_its_file) {
    return "its model file was cut or changed while it was read, or the disk failed; leave model files alone "
           "while they are loaded";
  }
  if (end.signal != 0) {
    const char* const name = ::sigabbrev_np(end.signal);
    return "it was ended by " +
           (name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(end.signal));
  }
  return end.exit_code != 0 ? "it exited with code " + std::to_string(end.exit_code) : "it exited by itself";
}

std::string seconds(milliseconds duration) {
  return format_seconds(static_cast<double>(duration.count()) / 1000);
}

}  // namespace

void WorkerLife::charge(SteadyTime now) {
  const auto passed = std::chrono::duration_cast<milliseconds>(now - last_event_);
  // What is below a millisecond stays for the next event.
  last_event_ += passed;
  const milliseconds counted = std::clamp(passed, milliseconds(0), kLongestCharge);
  for (milliseconds* timer : {&in_state_, &silence_, &stall_, &since_signal_}) *timer += counted;
  if (state_ == WorkerState::kReady && in_state_ >= policy_.proven_after) was_proven_ = true;
}

void WorkerLife::enter(WorkerState state) {
  state_ = state;
  in_state_ = silence_ = stall_ = milliseconds(0);
}

bool WorkerLife::is_ready() const {
  return state_ == WorkerState::kReady && !ending_ && silence_ < policy_.unready_silence;
}

milliseconds WorkerLife::until_next_tick() const {
  milliseconds wait = kTickPeriod;
  if (state_ == WorkerState::kBackoff) wait = backoff_ - in_state_;
  if (ending_) wait = std::min(wait, policy_.kill_grace - since_signal_);
  return std::clamp(wait, milliseconds(1), kTickPeriod);
}

WorkerActions WorkerLife::end_worker(Ending ending, int signal) {
  if (ending_) return {};
  ending_ = std::move(ending);
  since_signal_ = milliseconds(0);
  was_killed_ = signal == SIGKILL;
  if (signal == 0) return {};
  return {{Kind::kSignal, signal, ending_->message}};
}

WorkerActions WorkerLife::on_tick(SteadyTime now) {
  charge(now);
  if (ending_) return check_ending();
  switch (state_) {
    case WorkerState::kStarting:
      if (!has_process_) {
        has_process_ = true;
        return {{Kind::kSpawn}};
      }
      if (in_state_ < policy_.handshake_timeout) return {};
      return end_worker(
          {ExitKind::kHung, "it did not say hello within " + seconds(policy_.handshake_timeout)}, SIGABRT);
    case WorkerState::kLoading:
      if (in_state_ < policy_.load_timeout) return check_silence();
      return end_worker(
          {ExitKind::kHung, "it did not load its model within " + seconds(policy_.load_timeout)}, SIGABRT);
    case WorkerState::kReady:
      return check_silence();
    case WorkerState::kDraining:
      // What runs may take as long as it needs where nobody waits for the end.
      return is_stop_asked_ ? check_drain() : check_silence();
    case WorkerState::kBackoff:
      return in_state_ < backoff_ ? WorkerActions() : start_again();
    case WorkerState::kFailed:
    case WorkerState::kStopped:
      break;
  }
  return {};
}

WorkerActions WorkerLife::start_again() {
  enter(WorkerState::kStarting);
  ++restarts_;
  has_process_ = true;
  return {{Kind::kSpawn}};
}

WorkerActions WorkerLife::check_ending() {
  if (was_killed_ || since_signal_ < policy_.kill_grace) return {};
  was_killed_ = true;
  return {{Kind::kSignal, SIGKILL, ending_->message}};
}

WorkerActions WorkerLife::check_silence() {
  if (silence_ >= policy_.hung_silence) {
    return end_worker({ExitKind::kHung, "no heartbeat for " + seconds(policy_.hung_silence)}, SIGABRT);
  }
  if (is_busy_ && stall_ >= policy_.stalled_step) {
    return end_worker({ExitKind::kHung, "no step ended for " + seconds(policy_.stalled_step)}, SIGABRT);
  }
  return {};
}

WorkerActions WorkerLife::check_drain() {
  if (!was_terminated_ && in_state_ >= policy_.drain_timeout) {
    was_terminated_ = true;
    since_signal_ = milliseconds(0);
    return {{Kind::kSignal, SIGTERM, "it did not stop within " + seconds(policy_.drain_timeout)}};
  }
  if (was_terminated_ && !was_killed_ && since_signal_ >= policy_.kill_grace) {
    was_killed_ = true;
    return {{Kind::kSignal, SIGKILL, "it did not stop after SIGTERM"}};
  }
  return {};
}

WorkerActions WorkerLife::on_greeted(SteadyTime now) {
  charge(now);
  if (state_ != WorkerState::kStarting || ending_) return {};
  enter(WorkerState::kLoading);
  return {{Kind::kLoad}};
}

WorkerActions WorkerLife::on_loaded(SteadyTime now) {
  charge(now);
  if (state_ != WorkerState::kLoading || ending_) return {};
  enter(WorkerState::kReady);
  is_busy_ = false;
  return {};
}

WorkerActions WorkerLife::on_load_failed(SteadyTime now, const Error& error) {
  charge(now);
  load_error_ = error;
  const bool is_memory = error.code == ErrorCode::kOutOfMemory;
  // It exits by itself; it is killed only where it does not.
  return end_worker({is_memory ? ExitKind::kOutOfMemory : ExitKind::kLoadFailed, error.message}, 0);
}

WorkerActions WorkerLife::on_heartbeat(SteadyTime now, bool is_busy, uint64_t progress) {
  charge(now);
  silence_ = milliseconds(0);
  if (!is_busy || !is_busy_ || progress != progress_) stall_ = milliseconds(0);
  is_busy_ = is_busy;
  progress_ = progress;
  return {};
}

WorkerActions WorkerLife::on_draining(SteadyTime now) {
  charge(now);
  if (state_ == WorkerState::kReady && !ending_) enter(WorkerState::kDraining);
  return {};
}

WorkerActions WorkerLife::on_fault(SteadyTime now, const Error& error) {
  charge(now);
  return end_worker({ExitKind::kCrashed, error.message}, SIGKILL);
}

WorkerActions WorkerLife::on_file_changed(SteadyTime now) {
  charge(now);
  if (state_ != WorkerState::kFailed || !may_restart_) return {};
  ends_in_a_row_ = 0;
  return start_again();
}

void WorkerLife::let_end() {
  may_restart_ = false;
  if (state_ == WorkerState::kBackoff) enter(WorkerState::kStopped);
}

WorkerActions WorkerLife::on_stop(SteadyTime now) {
  charge(now);
  if (is_stop_asked_) return {};
  is_stop_asked_ = true;
  if (!has_process_) {
    enter(WorkerState::kStopped);
    return {};
  }
  const bool is_serving = state_ == WorkerState::kReady || state_ == WorkerState::kDraining;
  enter(WorkerState::kDraining);
  if (ending_) return {};
  if (is_serving) return {{Kind::kDrain}};
  // There is nothing to finish, and while it loads it may not read messages soon.
  was_terminated_ = true;
  since_signal_ = milliseconds(0);
  return {{Kind::kSignal, SIGTERM, "the server stops"}};
}

WorkerActions WorkerLife::on_kill(SteadyTime now) {
  charge(now);
  is_stop_asked_ = true;
  if (!has_process_) {
    enter(WorkerState::kStopped);
    return {};
  }
  if (state_ != WorkerState::kDraining) enter(WorkerState::kDraining);
  if (was_killed_) return {};
  was_terminated_ = was_killed_ = true;
  return {{Kind::kSignal, SIGKILL, "the server ends at once"}};
}

WorkerExit WorkerLife::classify(ProcessEnd end) const {
  WorkerExit exit{.kind = ExitKind::kCrashed,
                  .signal = end.signal,
                  .exit_code = end.exit_code,
                  .message = describe_end(end),
                  .log_tail = std::move(end.log_tail)};
  const bool exited_for_memory =
      end.signal == 0 && end.exit_code == error_code_info(ErrorCode::kOutOfMemory).exit_code;
  const bool was_killed_for_memory = end.signal == SIGKILL && !was_killed_ && end.was_out_of_memory;
  if (ending_) {
    exit.kind = ending_->kind;
    exit.message = ending_->message;
  } else if (is_stop_asked_ || end.signal == SIGTERM ||
             (end.signal == 0 && end.exit_code == kExitAfterSigterm)) {
    exit.kind = ExitKind::kStopped;
    exit.message.clear();
  } else if (exited_for_memory || was_killed_for_memory) {
    exit.kind = ExitKind::kOutOfMemory;
    exit.message = "there was not enough memory";
  }
  return exit;
}

WorkerActions WorkerLife::on_exit(SteadyTime now, ProcessEnd end) {
  charge(now);
  const bool was_killed_from_outside = end.signal == SIGKILL && !was_killed_ && !end.was_out_of_memory;
  last_exit_ = classify(std::move(end));
  failed_by_itself_ = last_exit_->kind != ExitKind::kStopped && !was_killed_from_outside;
  after_exit();
  return {};
}

WorkerActions WorkerLife::on_spawn_failed(SteadyTime now, const Error& error) {
  charge(now);
  last_exit_ = WorkerExit{
      .kind = ExitKind::kNotStarted, .signal = 0, .exit_code = 0, .message = error.message, .log_tail = {}};
  failed_by_itself_ = false;
  after_exit();
  return {};
}

void WorkerLife::after_exit() {
  has_process_ = false;
  ending_.reset();
  is_busy_ = was_terminated_ = was_killed_ = false;
  const std::optional<Error> load_error = std::exchange(load_error_, std::nullopt);
  if (is_stop_asked_ || !may_restart_) return enter(WorkerState::kStopped);
  if (load_error && is_permanent(load_error->code)) return enter(WorkerState::kFailed);

  if (std::exchange(was_proven_, false)) ends_in_a_row_ = 0;
  const bool has_crashed = last_exit_->kind == ExitKind::kCrashed || last_exit_->kind == ExitKind::kHung;
  const milliseconds longest =
      has_crashed && failed_by_itself_ ? policy_.longest_crash_backoff : policy_.longest_backoff;
  const int doublings = std::min(ends_in_a_row_++, 20);
  backoff_ = std::min(policy_.first_backoff * (1 << doublings), longest);
  enter(WorkerState::kBackoff);
}

}  // namespace llama_gpu::supervisor
