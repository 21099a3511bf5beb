// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <limits>
#include <utility>

#include "base/log.h"
#include "supervisor/worker_names.h"

namespace llama_gpu::supervisor {
namespace {

using namespace std::chrono_literals;

// Of one worker in a row, so that a flood from one does not starve the others.
constexpr size_t kReadsInARow = 16;
constexpr size_t kAllReads = std::numeric_limits<size_t>::max();
// What goes into our log from one worker in a second; the tail is kept of all.
constexpr size_t kMaxLogBytesPerSecond = size_t{1} << 20;
constexpr auto kOomNotePeriod = 5s;
// What the session tells of itself changes also while no process sends heartbeats.
constexpr auto kStatusPeriod = 500ms;

}  // namespace

Worker::Worker(WorkerSpec spec, WorkerSession& session, const Clock& clock, std::function<void()> on_change)
    : spec_(std::move(spec)),
      session_(session),
      clock_(clock),
      on_change_(std::move(on_change)),
      life_(spec_.policy, clock.now()),
      out_(spec_.max_waiting_bytes),
      log_period_start_(clock.now()),
      oom_noted_(clock.now()),
      status_noted_(clock.now()),
      since_unix_seconds_(clock.unix_seconds()) {
  session_.attach(*this);
}

void Worker::on_tick() {
  const SteadyTime now = clock_.now();
  if (process_ && now - oom_noted_ >= kOomNotePeriod) {
    process_->note_oom_kills();
    oom_noted_ = now;
  }
  act(life_.on_tick(now));
  session_.on_tick(now);
  if (now - status_noted_ >= kStatusPeriod) {
    ++version_;
    status_noted_ = now;
  }
  note_change();
}

void Worker::act(const WorkerActions& actions) {
  for (const WorkerAction& action : actions) {
    switch (action.kind) {
      case WorkerAction::Kind::kSpawn:
        spawn();
        break;
      case WorkerAction::Kind::kLoad:
        session_.on_load();
        break;
      case WorkerAction::Kind::kDrain:
        session_.on_drain();
        break;
      case WorkerAction::Kind::kSignal:
        if (!process_) break;
        log_warning("a worker is sent a signal",
                    {{"worker", spec_.id},
                     {"pid", process_->pid()},
                     {"signal", action.signal},
                     {"reason", action.reason},
                     {"process_state", std::string(1, process_->state_letter())}});
        process_->send_signal(action.signal);
        break;
    }
  }
}

void Worker::spawn() {
  Result<WorkerProcess> process = WorkerProcess::spawn(spec_.command);
  if (!process.ok()) {
    log_error("a worker could not be started", {{"worker", spec_.id}, {"error", process.error().message}});
    act(life_.on_spawn_failed(clock_.now(), process.error()));
    note_change();
    session_.on_exit(*life_.last_exit(), life_.state(), /*was_its_fault=*/false);
    ++version_;
    return;
  }
  process_.emplace(std::move(process).value());
  ++num_processes_;
  decoder_ = FrameDecoder();
  out_.clear();
  log_tail_.emplace();
  has_closed_socket_ = has_closed_log_ = false;
  log_info("a worker was started", {{"worker", spec_.id}, {"pid", process_->pid()}});
  session_.on_spawned();
}

milliseconds Worker::until_next_tick() const {
  return std::min(life_.until_next_tick(), std::max(session_.until_next_tick(), milliseconds(1)));
}

Worker::WaitFor Worker::wait_for() const {
  if (!process_) return {};
  return {.process = num_processes_,
          .exit_fd = process_->exit_fd(),
          .socket_fd = has_closed_socket_ ? -1 : process_->socket_fd(),
          .log_fd = has_closed_log_ ? -1 : process_->log_fd(),
          .wants_to_send = out_.pending_bytes() > 0};
}

void Worker::on_socket() {
  if (!process_) return;
  receive_frames(kReadsInARow);
  flush();
  note_change();
}

void Worker::receive_frames(size_t max_reads) {
  for (size_t i = 0; i < max_reads && !has_closed_socket_; ++i) {
    const Received received = receive(process_->socket_fd(), decoder_);
    if (received == Received::kNothing) return;
    has_closed_socket_ = received == Received::kEnd;
    if (const Status status = handle_frames(); !status.ok()) {
      log_error("a worker broke the protocol", {{"worker", spec_.id}, {"error", status.error().message}});
      act(life_.on_fault(clock_.now(), status.error()));
      has_closed_socket_ = true;  // nothing more of it is read
    }
  }
}

Status Worker::handle_frames() {
  for (;;) {
    TRY(const std::optional<Frame> frame, decoder_.next());
    if (!frame) return {};
    TRY_STATUS(session_.on_frame(*frame));
  }
}

void Worker::on_log() {
  if (process_) read_log(kReadsInARow);
}

void Worker::read_log(size_t max_reads) {
  std::array<char, 16 << 10> bytes;
  for (size_t i = 0; i < max_reads && !has_closed_log_; ++i) {
    const ssize_t got = ::read(process_->log_fd(), bytes.data(), bytes.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    has_closed_log_ = got <= 0;
    if (has_closed_log_) return;
    for (const std::string& line : log_tail_->append({bytes.data(), static_cast<size_t>(got)}))
      log_line(line);
  }
}

void Worker::log_line(const std::string& line) {
  session_.on_log_line(line);
  const SteadyTime now = clock_.now();
  if (now - log_period_start_ >= 1s) {
    if (log_period_bytes_ > kMaxLogBytesPerSecond) {
      log_warning("log lines of a worker were dropped",
                  {{"worker", spec_.id}, {"bytes_in_a_second", log_period_bytes_}});
    }
    log_period_start_ = now;
    log_period_bytes_ = 0;
  }
  log_period_bytes_ += line.size();
  if (log_period_bytes_ <= kMaxLogBytesPerSecond)
    log_info("worker log", {{"worker", spec_.id}, {"line", line}});
}

void Worker::on_exit() {
  if (!process_) return;
  std::optional<ProcessEnd> end = process_->reap();
  if (!end) return;
  // Its last words lie in the socket and the pipe still.
  receive_frames(kAllReads);
  read_log(kAllReads);
  end->log_tail = log_tail_->text();
  process_.reset();
  act(life_.on_exit(clock_.now(), *std::move(end)));
  const WorkerExit& exit = *life_.last_exit();
  log_event(exit.kind == ExitKind::kStopped ? LogLevel::kInfo : LogLevel::kError, "a worker ended",
            {{"worker", spec_.id},
             {"kind", exit_kind_name(exit.kind)},
             {"signal", exit.signal},
             {"exit_code", exit.exit_code},
             {"error", exit.message},
             {"next", worker_state_name(life_.state())}});
  note_change();
  session_.on_exit(exit, life_.state(), life_.failed_by_itself());
  ++version_;
}

void Worker::flush() {
  if (!process_ || has_closed_socket_) return;
  const size_t waiting_bytes = out_.pending_bytes();
  if (!out_.flush(process_->socket_fd()).ok()) {
    // Its end is seen by its descriptor. That is no room: what waits would count as sent to it.
    out_.clear();
    return;
  }
  if (out_.pending_bytes() < waiting_bytes) session_.on_room();
}

void Worker::let_end() {
  life_.let_end();
  note_change();
}

void Worker::stop() {
  act(life_.on_stop(clock_.now()));
  flush();
  note_change();
}

void Worker::kill() {
  act(life_.on_kill(clock_.now()));
  note_change();
}

void Worker::note_change() {
  const pid_t pid = process_ ? process_->pid() : 0;
  if (life_.state() == seen_state_ && life_.is_ready() == seen_ready_ && pid == seen_pid_) return;
  if (life_.state() != seen_state_) since_unix_seconds_ = clock_.unix_seconds();
  seen_state_ = life_.state();
  seen_ready_ = life_.is_ready();
  seen_pid_ = pid;
  ++version_;
  on_change_();
}

WorkerStatus Worker::status() const {
  WorkerStatus status;
  status.id = spec_.id;
  status.pid = process_ ? process_->pid() : 0;
  status.state = life_.state();
  status.is_ready = life_.is_ready();
  status.since_unix_seconds = since_unix_seconds_;
  status.restarts = life_.restarts();
  status.last_exit = life_.last_exit();
  session_.describe(status);
  return status;
}

Status Worker::send(std::string_view frame) {
  if (!process_) return {};
  return out_.push(frame);
}

void Worker::send_always(std::string_view frame) {
  if (process_) out_.push_always(frame);
}

void Worker::report_greeted() { act(life_.on_greeted(clock_.now())); }

void Worker::report_loaded() {
  const bool was_ready = life_.state() == WorkerState::kReady;
  act(life_.on_loaded(clock_.now()));
  if (!was_ready && life_.state() == WorkerState::kReady) {
    log_info("a worker is ready", {{"worker", spec_.id}, {"restarts", life_.restarts()}});
    note_change();
    session_.on_ready();
  }
}

void Worker::report_load_failed(const Error& error) { act(life_.on_load_failed(clock_.now(), error)); }

void Worker::report_heartbeat(bool is_busy, uint64_t progress) {
  act(life_.on_heartbeat(clock_.now(), is_busy, progress));
  ++version_;
}

void Worker::report_draining() {
  if (life_.state() == WorkerState::kReady)
    log_warning("a worker was told to stop by somebody else", {{"worker", spec_.id}});
  act(life_.on_draining(clock_.now()));
  note_change();
}

void Worker::report_fault(const Error& error) {
  log_error("a worker is ended", {{"worker", spec_.id}, {"error", error.message}});
  act(life_.on_fault(clock_.now(), error));
  note_change();
}

void Worker::report_file_changed() {
  const WorkerActions actions = life_.on_file_changed(clock_.now());
  if (!actions.empty()) log_info("the model file has changed: it is tried again", {{"worker", spec_.id}});
  act(actions);
  note_change();
}

}  // namespace llama_gpu::supervisor
