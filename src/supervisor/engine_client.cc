// SPDX-License-Identifier: Apache-2.0
#include "supervisor/engine_client.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.gen.h"
#include "base/log.h"
#include "base/strings.h"

namespace llama_gpu::supervisor {
namespace {

// How often the file of a model that cannot be loaded is looked at.
constexpr auto kFileLookPeriod = std::chrono::seconds(2);
// A request that was with so many workers that ended by themselves is not sent to another.
constexpr int kMaxAttempts = 2;

Error broken(std::string message) { return {ErrorCode::kProtocolError, std::move(message)}; }

Error shutting_down() {
  return {ErrorCode::kShuttingDown, "the server is being stopped", "send the request again in a moment"};
}

bool has_output(const engine::SequenceUpdate& update) {
  return !update.text.empty() || !update.tokens.empty() || !update.prompt_logprobs.empty() || update.finish;
}

// Adds the counters, not what is of the moment.
void add_counters(engine::EngineStats& sum, const engine::EngineStats& stats) {
  sum.steps += stats.steps;
  sum.prompt_tokens += stats.prompt_tokens;
  sum.generated_tokens += stats.generated_tokens;
  sum.preemptions += stats.preemptions;
}

}  // namespace

EngineClient::EngineClient(ModelSpec spec, std::string program, RequestLimits limits, const Clock& clock)
    : spec_(std::move(spec)),
      program_(std::move(program)),
      limits_(limits),
      clock_(clock),
      file_look_(spec_.options.model_path, spec_.look_at_file) {}

std::optional<engine::ModelInfo> EngineClient::info() const {
  const std::lock_guard lock(info_mutex_);
  return info_;
}

Error EngineClient::unavailable() const {
  if (is_given_up_) {
    // Another file does not help where a setting is wrong.
    const bool is_setting =
        load_error_ == ErrorCode::kInvalidValue || load_error_ == ErrorCode::kConfigInvalid;
    return {ErrorCode::kWorkerFailed, "the model '" + spec_.id + "' cannot be loaded",
            is_setting ? "GET /admin/workers says why; correct the settings and start the server again"
                       : "GET /admin/workers says why; it is tried again once its file has changed"};
  }
  if (load_error_) {
    return {ErrorCode::kWorkerFailed,
            "the model '" + spec_.id +
                "' cannot be loaded now: " + std::string(error_code_info(*load_error_).name),
            "GET /admin/workers says why; it is tried again without end"};
  }
  if (has_failed_) {
    return {ErrorCode::kWorkerFailed, "the worker of the model '" + spec_.id + "' ended and is not back yet",
            "send the request again in a moment"};
  }
  return {ErrorCode::kModelLoading, "the model '" + spec_.id + "' is still being loaded",
          "send the request again in a moment"};
}

Error EngineClient::ended(const WorkerExit& exit) const {
  std::string how = exit.kind == ExitKind::kOutOfMemory ? "for lack of memory"
                    : exit.kind == ExitKind::kHung      ? "because it hung"
                    : exit.signal != 0                  ? "by signal " + std::to_string(exit.signal)
                                                        : "unexpectedly";
  return {ErrorCode::kWorkerFailed,
          "the worker of the model '" + spec_.id + "' ended " + how + " during the request",
          "send the request again"};
}

// ---- jobs

void EngineClient::start(EngineJob started) {
  const uint64_t call_id = started.call_id;
  const auto [job, is_new] = jobs_.try_emplace(call_id);
  static_cast<EngineJob&>(job->second) = std::move(started);
  CHECK(is_new, "a call id is used once");
  held_bytes_ += job->second.frame.size();
  call_of_request_[job->second.request] = job->first;
  if (job->second.done) {
    ++num_texts_;
    text_bytes_ += job->second.frame.size();
  } else {
    // The engine refuses a request for more choices than may be.
    job->second.finished.resize(
        static_cast<size_t>(std::clamp<int64_t>(job->second.num_choices, 1, limits::kN.max)));
  }
  if (is_draining_) {
    fail(job, shutting_down());
  } else if (is_given_up_ || load_error_) {
    fail(job, unavailable());
  } else if (is_overloaded(job->second)) {
    fail(job, overloaded());
  } else {
    wait_for_turn(job);
    send_waiting();
  }
}

bool EngineClient::is_overloaded(const Job& job) const {
  if (std::cmp_greater(jobs_.size(), spec_.options.max_requests)) return true;
  if (held_bytes_ > limits_.max_held_bytes) return true;
  return job.done && (num_texts_ > limits_.max_texts || text_bytes_ > limits_.max_text_bytes);
}

Error EngineClient::overloaded() const {
  return {ErrorCode::kOverloaded, "the model '" + spec_.id + "' has more requests than it can hold",
          "send the request again in a moment"};
}

Error EngineClient::not_taken() const {
  const double seconds = std::chrono::duration<double>(limits_.longest_wait).count();
  return {ErrorCode::kOverloaded,
          "the request was not taken within " + format_seconds(seconds) + ": the worker of the model '" +
              spec_.id + "' is busy with others",
          "send the request again in a moment"};
}

void EngineClient::wait_for_turn(Jobs::iterator job) {
  job->second.is_sent = job->second.is_accepted = false;
  job->second.deadline = clock_.now() + limits_.longest_wait;
  lanes_.push(job->first, job->second.lane);
}

// What the connection does not take now waits for on_room().
void EngineClient::send_waiting() {
  while (is_ready_) {
    const std::optional<uint64_t> id = lanes_.next();
    if (!id) return;
    Job& job = jobs_.at(*id);
    if (!link_->send(job.frame).ok()) return;
    lanes_.mark_sent(*id);
    job.is_sent = true;
  }
}

EngineClient::Jobs::iterator EngineClient::erase(Jobs::iterator job) {
  lanes_.take_back(job->first);
  held_bytes_ -= job->second.frame.size();
  if (!job->second.observer) {
    --num_texts_;
    text_bytes_ -= job->second.frame.size();
  }
  call_of_request_.erase(job->second.request);
  return jobs_.erase(job);
}

EngineClient::Jobs::iterator EngineClient::fail(Jobs::iterator job, const Error& error) {
  const std::shared_ptr<GenerationObserver> observer = job->second.observer;
  const auto done = std::move(job->second.done);
  const auto next = erase(job);
  if (observer) observer->on_failed(error);
  if (done) done(error);
  return next;
}

void EngineClient::cancel(engine::RequestId id) {
  const auto found = call_of_request_.find(id);
  if (found == call_of_request_.end()) return;
  const auto job = jobs_.find(found->second);
  const bool is_generated = job->second.is_sent && job->second.observer;
  erase(job);
  if (is_generated) call(0, CancelNote{spec_.id, id});
}

void EngineClient::begin_drain() {
  is_draining_ = true;
  for (auto job = jobs_.begin(); job != jobs_.end();)
    job = job->second.is_sent ? std::next(job) : fail(job, shutting_down());
}

void EngineClient::on_tick(SteadyTime now) {
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    const bool is_late = !job->second.is_sent && job->second.deadline <= now;
    job = is_late ? fail(job, is_ready_ ? not_taken() : unavailable()) : std::next(job);
  }
  if (const std::optional<FileStamp> file = file_look_.take()) on_file_seen(*file);
  if (!is_given_up_ || now < next_look_) return;
  next_look_ = now + kFileLookPeriod;
  file_look_.begin();
}

void EngineClient::on_file_seen(const FileStamp& file) {
  if (tried_file_) {
    if (is_given_up_ && file != *tried_file_) link_->report_file_changed();
    return;
  }
  tried_file_ = file;
  if (info() && earlier_file_ && file != *earlier_file_) {
    log_warning("the model file is not the one that was served before: what is there now is loaded",
                {{"model", spec_.id}, {"path", spec_.options.model_path}});
  }
}

// ---- the worker's life

void EngineClient::call(uint64_t id, CallBody body) {
  const Result<std::string> payload = encode_call({id, std::move(body)});
  CHECK(payload.ok(), "our own messages can be encoded");
  link_->send_always(encode_frame(FrameKind::kControl, payload.value()).value());
}

void EngineClient::on_spawned() {
  is_given_up_ = false;
  // Before it loads: should the file change meanwhile, that costs one try more, never one too few.
  if (tried_file_) earlier_file_ = std::exchange(tried_file_, std::nullopt);
  file_look_.begin();
  hello_id_ = next_call_id();
  call(hello_id_, HelloCall{kEngineProtocolVersion, program_});
}

void EngineClient::on_load() {
  load_id_ = next_call_id();
  call(load_id_, LoadCall{spec_.id, spec_.options});
}

void EngineClient::on_ready() {
  is_ready_ = true;
  has_failed_ = false;
  load_error_.reset();
  send_waiting();
}

void EngineClient::on_drain() { call(0, StopNote{.drain = true}); }

void EngineClient::on_exit(const WorkerExit& exit, WorkerState next, bool was_its_fault) {
  is_ready_ = false;
  has_failed_ = true;
  is_given_up_ = next == WorkerState::kFailed;
  next_look_ = clock_.now() + kFileLookPeriod;
  hello_id_ = load_id_ = 0;
  lanes_.forget_sent();
  add_counters(earlier_stats_, stats_);
  stats_ = {};
  memory_bytes_ = 0;
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    Job& held = job->second;
    if (held.is_sent && was_its_fault) ++held.attempts;
    if (next == WorkerState::kStopped) {
      job = fail(job, shutting_down());
    } else if (is_given_up_ || load_error_) {
      job = fail(job, unavailable());
    } else if (held.has_begun || held.attempts >= kMaxAttempts) {
      job = fail(job, ended(exit));
    } else {
      if (held.is_sent) wait_for_turn(job);
      ++job;
    }
  }
}

void EngineClient::describe(WorkerStatus& status) const {
  status.model = spec_.id;
  status.stats = stats_;
  add_counters(status.stats, earlier_stats_);
  for (const auto& [id, job] : jobs_) {
    if (job.observer && !job.is_sent) status.stats.waiting += static_cast<int32_t>(job.finished.size());
  }
  status.memory_bytes = memory_bytes_;
}

// ---- what the worker says

Status EngineClient::on_frame(const Frame& frame) {
  if (frame.kind == FrameKind::kStep) {
    TRY(const std::vector<engine::SequenceUpdate> updates, parse_step(frame.payload));
    for (const engine::SequenceUpdate& update : updates) TRY_STATUS(on_update(update));
    return {};
  }
  TRY(WorkerMessage message, parse_worker_message(frame.payload));
  if (const auto* stats = std::get_if<StatsNote>(&message)) return on_stats(*stats);
  return on_reply(std::get<Reply>(std::move(message)));
}

Status EngineClient::on_stats(const StatsNote& note) {
  stats_ = note.stats;
  memory_bytes_ = note.memory_bytes;
  // Asked of our own list: an engine that hangs in its first step has not counted the request yet.
  const bool is_busy =
      std::any_of(jobs_.begin(), jobs_.end(), [](const auto& job) { return job.second.is_accepted; });
  link_->report_heartbeat(is_busy, note.stats.steps);
  if (note.is_draining) on_worker_leaving();
  return {};
}

// It takes nothing new, and will be replaced once it has ended.
void EngineClient::on_worker_leaving() {
  is_ready_ = false;
  has_failed_ = true;
  link_->report_draining();
}

Status EngineClient::on_reply(Reply reply) {
  if (hello_id_ != 0 && reply.id == hello_id_) return on_hello(reply);
  if (load_id_ != 0 && reply.id == load_id_) return on_loaded(reply);
  if (!lanes_.mark_answered(reply.id))
    return broken("call " + std::to_string(reply.id) + " was not made or is answered twice");
  TRY_STATUS(on_answer(std::move(reply)));
  send_waiting();
  return {};
}

Status EngineClient::on_answer(Reply reply) {
  const auto job = jobs_.find(reply.id);
  if (job == jobs_.end()) return {};  // cancelled meanwhile
  // It drains, told so by somebody else: its successor will take the call.
  if (!reply.body.ok() && reply.body.error().code == ErrorCode::kShuttingDown && !is_draining_) {
    on_worker_leaving();
    wait_for_turn(job);
    return {};
  }
  if (job->second.observer) return on_accepted(job, reply.body);
  const auto done = std::move(job->second.done);
  erase(job);
  done(std::move(reply.body));
  return {};
}

Status EngineClient::on_hello(const Reply& reply) {
  hello_id_ = 0;
  if (!reply.body.ok()) return reply.body.error();
  const auto* hello = std::get_if<HelloReply>(&reply.body.value());
  if (hello == nullptr) return broken("hello was not answered by hello");
  if (hello->protocol != kEngineProtocolVersion || hello->program != program_) {
    return broken("the worker is version " + hello->program + " with protocol " +
                  std::to_string(hello->protocol) + ", this server is version " + program_ +
                  " with protocol " + std::to_string(kEngineProtocolVersion));
  }
  link_->report_greeted();
  return {};
}

Status EngineClient::on_loaded(const Reply& reply) {
  load_id_ = 0;
  if (!reply.body.ok()) {
    load_error_ = reply.body.error().code;
    link_->report_load_failed(reply.body.error());
    return {};
  }
  const auto* info = std::get_if<engine::ModelInfo>(&reply.body.value());
  if (info == nullptr) return broken("load was not answered by a model");
  {
    const std::lock_guard lock(info_mutex_);
    info_ = *info;
  }
  link_->report_loaded();
  return {};
}

Status EngineClient::on_accepted(Jobs::iterator job, const Result<ReplyBody>& body) {
  if (!body.ok()) {
    fail(job, body.error());
    return {};
  }
  const auto* receipt = std::get_if<engine::SubmitReceipt>(&body.value());
  if (receipt == nullptr || receipt->id != job->second.request)
    return broken("submit was not answered by its receipt");
  job->second.is_accepted = true;
  if (!std::exchange(job->second.was_accepted, true)) job->second.observer->on_accepted(*receipt);
  return {};
}

Status EngineClient::on_update(const engine::SequenceUpdate& update) {
  const auto found = call_of_request_.find(update.id);
  if (found == call_of_request_.end()) return {};  // cancelled; it was on its way
  const auto entry = jobs_.find(found->second);
  Job& job = entry->second;
  if (!job.is_accepted)
    return broken("news of request " + std::to_string(update.id) + " came before its receipt");
  if (update.choice < 0 || update.choice >= std::ssize(job.finished) ||
      job.finished[static_cast<size_t>(update.choice)]) {
    return broken("news of choice " + std::to_string(update.choice) + " of request " +
                  std::to_string(update.id) + ", which it has not or which ended");
  }
  if (has_output(update) && !std::exchange(job.has_begun, true)) {
    held_bytes_ -= job.frame.size();
    job.frame = {};
  }
  const std::shared_ptr<GenerationObserver> observer = job.observer;
  if (update.finish) {
    job.finished[static_cast<size_t>(update.choice)] = true;
    if (std::all_of(job.finished.begin(), job.finished.end(), [](bool is_finished) { return is_finished; }))
      erase(entry);
  }
  observer->on_update(update);
  return {};
}

}  // namespace llama_gpu::supervisor
