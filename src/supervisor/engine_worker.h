// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "supervisor/call_lanes.h"
#include "supervisor/call_queue.h"
#include "supervisor/engine_protocol.h"
#include "supervisor/frame_socket.h"
#include "supervisor/unique_fd.h"

namespace llama_gpu::supervisor {

// Loads the engine that a worker runs: Engine::load, or a fake. `listener` outlives the engine.
using EngineLoader = std::function<Result<std::unique_ptr<engine::Engine>>(const engine::EngineOptions&,
                                                                           engine::GenerationListener&)>;

// What the worker writes to the control plane: whole frames, in the order of send(). Thread-safe.
//
// Bounded: where the control plane does not read, send() waits, and the engine with it.
class WorkerOutbox {
 public:
  // Borrows the socket. `wake` is called, from any thread, when bytes are left for flush().
  WorkerOutbox(int fd, std::function<void()> wake);

  // Queues the frame and sends what the socket takes. Nothing happens once the other side is gone.
  void send(std::string_view frame);
  // Sends what is left; true where some is left still.
  bool flush();
  // Whether the other side is gone.
  bool is_closed() const;

 private:
  void flush_locked();

  int fd_;
  std::function<void()> wake_;
  mutable std::mutex mutex_;
  SendBuffer bytes_;        // guarded by mutex_
  bool is_closed_ = false;  // guarded by mutex_
};

// One engine behind a socket: answers calls, forwards each engine step as one frame, sends its figures twice
// a second.
//
// A model counts as loaded once it has produced a token, so that "ready" is true.
//
// run() reads and dispatches on its own thread; loading, tokenising and submitting happen on call threads, so
// that a cancel or a heartbeat never waits for a long text; each lane of calls has threads of its own, so
// that a long text never delays a prompt; steps come on the engine's thread.
class EngineWorker final : private engine::GenerationListener {
 public:
  // How a worker is told of the world outside its socket.
  struct Options {
    std::string program_version;
    // Non-blocking; readable when the worker is told to drain, and again when it is told to end at once
    // (SIGTERM).
    int terminate_fd = -1;  // -1: never
  };

  // Borrows `fd`, a stream socket.
  EngineWorker(int fd, EngineLoader loader, Options options);
  // Ends what runs and joins the threads: waits for a load in progress.
  ~EngineWorker() override;

  // Serves until told to stop, the other side is gone, or the model cannot be loaded. Returns the exit code.
  int run();

  // Whether run() left a load unfinished, which the destructor would wait for.
  bool is_loading() const { return is_loading_; }

 private:
  // A request from its arrival to the finish of its last choice.
  struct Running {
    std::vector<bool> finished;  // by choice
    bool is_announced = false;   // its receipt was sent: updates may follow
    bool is_cancelled = false;
    std::vector<engine::SequenceUpdate> early;  // came before the receipt
  };

  void on_step(std::span<const engine::SequenceUpdate> updates) override;

  // Of the thread of run().
  bool wait_for_input(std::chrono::milliseconds timeout);
  void read_socket();
  void dispatch(Call call);
  void on_cancel(engine::RequestId id);
  void cancel_oversized();
  void send_stats();
  void on_terminate();
  void end(int exit_code);

  // Of a call thread.
  void handle(Call call);
  void hello(uint64_t id, const HelloCall& call);
  void load(uint64_t id, const LoadCall& call);
  Status produce_one_token(engine::Engine& engine);
  void submit(uint64_t id, SubmitCall call);
  template <typename Answer>
  void ask_engine(uint64_t id, const Answer& answer);
  void reply(uint64_t id, Result<ReplyBody> body);

  // Under requests_mutex_.
  void announce(uint64_t call_id, Running& running, const engine::SubmitReceipt& receipt);
  void forward(std::span<const engine::SequenceUpdate> updates);
  void refuse_oversized(engine::RequestId id, const Error& error);
  void note_finishes(std::span<const engine::SequenceUpdate> updates);

  void wake() const;

  int fd_;
  EngineLoader loader_;
  Options options_;
  UniqueFd wake_;
  WorkerOutbox outbox_;
  FrameDecoder decoder_;

  std::unique_ptr<engine::Engine> engine_owner_;
  engine::EngineStats probe_stats_;               // what the first token cost; constant once engine_ is set
  std::atomic<engine::Engine*> engine_{nullptr};  // set once it is loaded
  std::atomic<bool> is_loading_{false};
  std::atomic<bool> is_draining_{false};
  bool was_terminated_ = false;           // the drain is not the control plane's wish
  std::atomic<bool> wants_stats_{false};  // something finished: do not wait for the next half second
  std::atomic<int> exit_code_{-1};        // >= 0: run() returns it

  std::mutex requests_mutex_;
  std::unordered_map<engine::RequestId, Running> requests_;  // guarded by requests_mutex_
  std::vector<engine::RequestId> oversized_;                 // guarded by requests_mutex_

  std::mutex probe_mutex_;
  std::condition_variable probe_changed_;
  std::optional<engine::SequenceUpdate> probe_end_;  // guarded by probe_mutex_
  bool is_closing_ = false;                          // guarded by probe_mutex_

  std::array<std::unique_ptr<CallQueue>, kNumCallLanes> lanes_;  // by CallLane
};

}  // namespace llama_gpu::supervisor
