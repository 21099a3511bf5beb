// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/file_stamp.h"
#include "supervisor/call_lanes.h"
#include "supervisor/engine_protocol.h"
#include "supervisor/file_look.h"
#include "supervisor/worker_session.h"

namespace llama_gpu::supervisor {

// A model to be served by a worker of its own.
struct ModelSpec {
  std::string id;
  std::vector<std::string> aliases;
  int64_t created_unix_seconds = 0;
  engine::EngineOptions options;
  FileLook::Read look_at_file = stamp_of;  // may hang
};

// How much may wait for a worker, beside EngineOptions::max_requests.
struct RequestLimits {
  size_t max_held_bytes = size_t{256} << 20;       // of requests that have not begun
  size_t max_texts = 1024;                         // at once: calls that generate nothing
  size_t max_text_bytes = size_t{64} << 20;        // of those
  std::chrono::milliseconds longest_wait{30'000};  // for a worker that loads, restarts or is busy with others
};

// One call on its way: what is sent, and who hears of it. Exactly one of `observer` and `done` is set.
struct EngineJob {
  uint64_t call_id = 0;  // from EngineClient::next_call_id
  std::string frame;     // the call, encoded
  CallLane lane = CallLane::kPrompts;
  engine::RequestId request = 0;  // what it is cancelled by
  // A generation:
  std::shared_ptr<GenerationObserver> observer;
  int32_t num_choices = 1;
  // Any other call:
  std::function<void(Result<ReplyBody>)> done;
};

// The requests of one model, and what becomes of them when its worker does.
//
// A request whose first token was delivered fails with its worker; one that had not begun waits for the next
// worker, but not for ever, not while the model cannot be loaded, and not once it has met two workers that
// ended by themselves: it may be the cause. Supervisor thread, where nothing else is said.
class EngineClient final : public WorkerSession {
 public:
  // `program` is this program's version; `clock` outlives the client.
  EngineClient(ModelSpec spec, std::string program, RequestLimits limits, const Clock& clock);

  // Any thread.
  const ModelSpec& spec() const { return spec_; }
  uint64_t next_call_id() { return ++last_call_id_; }
  // Of the last worker that loaded it. Any thread.
  std::optional<engine::ModelInfo> info() const;

  // Sends the job, or lets it wait. Its end is always heard.
  void start(EngineJob job);
  // Unknown ids are ignored.
  void cancel(engine::RequestId id);
  // Refuses whatever comes from now on, and what was not sent yet.
  void begin_drain();

  void attach(WorkerLink& link) override { link_ = &link; }
  void on_spawned() override;
  void on_load() override;
  void on_ready() override;
  void on_room() override { send_waiting(); }
  Status on_frame(const Frame& frame) override;
  void on_drain() override;
  void on_exit(const WorkerExit& exit, WorkerState next, bool was_its_fault) override;
  void on_tick(SteadyTime now) override;
  void describe(WorkerStatus& status) const override;

 private:
  struct Job : EngineJob {
    SteadyTime deadline;        // while it waits
    bool is_sent = false;       // to the worker that runs now
    bool is_accepted = false;   // by it
    bool was_accepted = false;  // by any worker: the observer knows
    bool has_begun = false;
    int attempts = 0;            // workers that ended by themselves with it
    std::vector<bool> finished;  // by choice
  };
  using Jobs = std::map<uint64_t, Job>;  // in order of arrival

  void call(uint64_t id, CallBody body);
  bool is_overloaded(const Job& job) const;
  Error overloaded() const;
  Error not_taken() const;
  void wait_for_turn(Jobs::iterator job);
  void send_waiting();
  void on_worker_leaving();
  void on_file_seen(const FileStamp& file);
  // Removes the job and tells its owner.
  Jobs::iterator fail(Jobs::iterator job, const Error& error);
  Jobs::iterator erase(Jobs::iterator job);
  Status on_reply(Reply reply);
  Status on_answer(Reply reply);
  Status on_hello(const Reply& reply);
  Status on_loaded(const Reply& reply);
  Status on_accepted(Jobs::iterator job, const Result<ReplyBody>& body);
  Status on_stats(const StatsNote& note);
  Status on_update(const engine::SequenceUpdate& update);
  Error unavailable() const;
  Error ended(const WorkerExit& exit) const;

  const ModelSpec spec_;
  const std::string program_;
  const RequestLimits limits_;
  const Clock& clock_;
  WorkerLink* link_ = nullptr;
  std::atomic<uint64_t> last_call_id_{0};

  Jobs jobs_;
  std::unordered_map<engine::RequestId, uint64_t> call_of_request_;
  CallLanes lanes_;  // of the jobs' calls
  size_t held_bytes_ = 0;
  size_t num_texts_ = 0, text_bytes_ = 0;
  uint64_t hello_id_ = 0, load_id_ = 0;  // while their answers are awaited
  bool is_ready_ = false;
  bool is_draining_ = false;
  bool is_given_up_ = false;             // until the file changes
  std::optional<ErrorCode> load_error_;  // of the last load, while nothing was loaded after it
  FileLook file_look_;
  std::optional<FileStamp> tried_file_;    // as it was before the last worker was told to load it
  std::optional<FileStamp> earlier_file_;  // the same of the one before
  SteadyTime next_look_;                   // while is_given_up_
  bool has_failed_ = false;                // a worker ended, or is about to, since the last became ready

  engine::EngineStats stats_, earlier_stats_;  // of this worker; counters of those before it
  uint64_t memory_bytes_ = 0;
  mutable std::mutex info_mutex_;
  std::optional<engine::ModelInfo> info_;  // guarded by info_mutex_
};

}  // namespace llama_gpu::supervisor
