// SPDX-License-Identifier: Apache-2.0
#include "supervisor/engine_worker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <utility>

#include "base/limits.gen.h"
#include "base/log.h"
#include "supervisor/call_lanes.h"
#include "supervisor/worker_life.h"

namespace llama_gpu::supervisor {
namespace {

using namespace std::chrono_literals;
using engine::SequenceUpdate;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kStatsPeriod = 500ms;
// Of each lane. Two for prompts, so that one that takes its time does not keep the others waiting.
constexpr std::array<int, kNumCallLanes> kLaneThreads = {2, 1, 1, 1};
// The control plane counts its requests from 1.
constexpr engine::RequestId kProbeRequest = 0;
constexpr int kExitConnectionLost = 70;  // EX_SOFTWARE; nobody is there to see it, as a rule
constexpr size_t kMaxOutboxBytes = size_t{64} << 20;

uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t total_pages = 0, resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

// The receipt holds the prompt's text where that is wanted.
Result<engine::SubmitReceipt> submit_to(engine::Engine& engine, engine::GenerationRequest request) {
  const engine::RequestId id = request.id;
  const bool wants_text = request.wants_prompt_text;
  TRY(engine::SubmitReceipt receipt, engine.submit(std::move(request)));
  if (!wants_text) return receipt;
  Result<std::string> text = engine.detokenize(receipt.prompt_tokens);
  if (!text.ok()) {
    engine.cancel(id);
    return text.error();
  }
  receipt.prompt_text = std::move(text).value();
  return receipt;
}

Error not_loaded() { return {ErrorCode::kModelLoading, "the model is not loaded yet"}; }

}  // namespace

// ---- WorkerOutbox

WorkerOutbox::WorkerOutbox(int fd, std::function<void()> wake)
    : fd_(fd), wake_(std::move(wake)), bytes_(kMaxOutboxBytes) {}

void WorkerOutbox::send(std::string_view frame) {
  const std::lock_guard lock(mutex_);
  while (bytes_.is_full() && !is_closed_) {
    pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
    ::poll(&room, 1, 1'000);
    flush_locked();
  }
  if (is_closed_) return;
  bytes_.push_always(frame);
  flush_locked();
  if (bytes_.pending_bytes() > 0) wake_();
}

bool WorkerOutbox::flush() {
  const std::lock_guard lock(mutex_);
  flush_locked();
  return bytes_.pending_bytes() > 0;
}

bool WorkerOutbox::is_closed() const {
  const std::lock_guard lock(mutex_);
  return is_closed_;
}

void WorkerOutbox::flush_locked() {
  if (is_closed_ || bytes_.flush(fd_).ok()) return;
  is_closed_ = true;
  bytes_.clear();
}

// ---- EngineWorker: the thread of run()

EngineWorker::EngineWorker(int fd, EngineLoader loader, Options options)
    : fd_(fd),
      loader_(std::move(loader)),
      options_(std::move(options)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      outbox_(fd, [this] { wake(); }) {
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    lanes_[lane] =
        std::make_unique<CallQueue>(kLaneThreads[lane], [this](Call call) { handle(std::move(call)); });
  }
}

EngineWorker::~EngineWorker() {
  {
    const std::lock_guard lock(probe_mutex_);
    is_closing_ = true;
  }
  probe_changed_.notify_all();
  for (std::unique_ptr<CallQueue>& lane : lanes_) lane.reset();
  engine_owner_.reset();
}

void EngineWorker::wake() const { ::eventfd_write(wake_.get(), 1); }

void EngineWorker::end(int exit_code) {
  int undecided = -1;
  exit_code_.compare_exchange_strong(undecided, exit_code);
  wake();
}

int EngineWorker::run() {
  auto next_stats = steady_clock::now();
  while (exit_code_ < 0) {
    if (const auto now = steady_clock::now(); now >= next_stats || wants_stats_.exchange(false)) {
      send_stats();
      next_stats = now + kStatsPeriod;
    }
    const auto timeout = std::chrono::ceil<milliseconds>(next_stats - steady_clock::now());
    if (wait_for_input(std::max(timeout, 0ms))) read_socket();
    cancel_oversized();
    if (outbox_.is_closed()) end(kExitConnectionLost);
    const std::lock_guard lock(requests_mutex_);
    if (is_draining_ && requests_.empty() && !is_loading_) end(was_terminated_ ? kExitAfterSigterm : 0);
  }
  // The last words: why a model could not be loaded, the end of a drained answer.
  while (outbox_.flush()) {
    pollfd room{.fd = fd_, .events = POLLOUT, .revents = 0};
    ::poll(&room, 1, 1'000);
  }
  return exit_code_;
}

bool EngineWorker::wait_for_input(milliseconds timeout) {
  const short socket_events = outbox_.flush() ? POLLIN | POLLOUT : POLLIN;
  std::array<pollfd, 3> sources = {pollfd{.fd = fd_, .events = socket_events, .revents = 0},
                                   pollfd{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = options_.terminate_fd, .events = POLLIN, .revents = 0}};
  ::poll(sources.data(), sources.size(), static_cast<int>(timeout.count()));
  if (sources[1].revents != 0) {
    eventfd_t count = 0;
    ::eventfd_read(wake_.get(), &count);
  }
  if (sources[2].revents != 0) on_terminate();
  return sources[0].revents != 0;
}

void EngineWorker::on_terminate() {
  std::array<char, sizeof(signalfd_siginfo)> told;
  while (::read(options_.terminate_fd, told.data(), told.size()) > 0) {
  }
  was_terminated_ = !is_draining_;
  if (is_draining_ || is_loading_) return end(kExitAfterSigterm);
  log_info("told to stop: finishing what runs");
  is_draining_ = true;
  wants_stats_ = true;  // which say so
}

void EngineWorker::read_socket() {
  const Received received = receive(fd_, decoder_);
  if (received == Received::kEnd) return end(kExitConnectionLost);
  for (;;) {
    Result<std::optional<Frame>> frame = decoder_.next();
    Result<Call> call = not_loaded();
    if (frame.ok()) {
      if (!frame.value()) return;
      call = frame.value()->kind == FrameKind::kControl
                 ? parse_call(frame.value()->payload)
                 : Error{ErrorCode::kProtocolError, "a step frame came from the control plane"};
    }
    if (!frame.ok() || !call.ok()) {
      const Error& error = frame.ok() ? call.error() : frame.error();
      log_error("the control plane broke the protocol", {{"error", error.message}});
      return end(error_code_info(error.code).exit_code);
    }
    dispatch(std::move(call).value());
  }
}

void EngineWorker::dispatch(Call call) {
  if (const auto* cancel = std::get_if<CancelNote>(&call.body)) return on_cancel(cancel->request);
  if (const auto* stop = std::get_if<StopNote>(&call.body)) {
    is_draining_ = true;
    if (!stop->drain || is_loading_) end(0);
    return;
  }
  if (const auto* submit = std::get_if<SubmitCall>(&call.body)) {
    if (is_draining_) return reply(call.id, Error{ErrorCode::kShuttingDown, "the worker is being stopped"});
    const std::lock_guard lock(requests_mutex_);
    // The engine refuses a request for more choices than may be.
    requests_[submit->request.id].finished.resize(
        static_cast<size_t>(std::clamp<int64_t>(submit->request.num_choices, 1, limits::kN.max)));
  }
  if (std::holds_alternative<LoadCall>(call.body)) is_loading_ = true;
  lanes_[static_cast<size_t>(lane_of(call.body))]->push(std::move(call));
}

void EngineWorker::on_cancel(engine::RequestId id) {
  {
    const std::lock_guard lock(requests_mutex_);
    const auto running = requests_.find(id);
    if (running == requests_.end()) return;
    running->second.is_cancelled = true;
    if (!running->second.is_announced) return;  // the call thread sees to it
  }
  engine_.load()->cancel(id);
}

void EngineWorker::cancel_oversized() {
  std::vector<engine::RequestId> ids;
  {
    const std::lock_guard lock(requests_mutex_);
    ids.swap(oversized_);
  }
  for (const engine::RequestId id : ids) engine_.load()->cancel(id);
}

void EngineWorker::send_stats() {
  StatsNote note;
  if (const engine::Engine* engine = engine_) {
    note.stats = engine->stats();
    // Ours, not a client's.
    note.stats.prompt_tokens -= probe_stats_.prompt_tokens;
    note.stats.generated_tokens -= probe_stats_.generated_tokens;
  }
  note.memory_bytes = resident_bytes();
  note.is_draining = is_draining_;
  outbox_.send(encode_frame(FrameKind::kControl, encode_worker_message(note).value()).value());
}

// ---- call threads

void EngineWorker::reply(uint64_t id, Result<ReplyBody> body) {
  Result<std::string> payload = encode_worker_message(Reply{id, std::move(body)});
  Result<std::string> frame =
      payload.ok() ? encode_frame(FrameKind::kControl, payload.value()) : payload.error();
  if (!frame.ok()) {
    const std::string refusal = encode_worker_message(Reply{id, frame.error()}).value();
    frame = encode_frame(FrameKind::kControl, refusal);
  }
  outbox_.send(frame.value());
}

// Replies with what `answer` makes of the engine.
template <typename Answer>
void EngineWorker::ask_engine(uint64_t id, const Answer& answer) {
  const engine::Engine* engine = engine_;
  if (engine == nullptr) return reply(id, not_loaded());
  reply(id, answer(*engine));
}

void EngineWorker::handle(Call call) {
  const uint64_t id = call.id;
  if (const auto* greeting = std::get_if<HelloCall>(&call.body)) {
    hello(id, *greeting);
  } else if (const auto* order = std::get_if<LoadCall>(&call.body)) {
    load(id, *order);
  } else if (auto* request = std::get_if<SubmitCall>(&call.body)) {
    submit(id, std::move(*request));
  } else if (const auto* text = std::get_if<TokenizeCall>(&call.body)) {
    ask_engine(id, [&](const engine::Engine& engine) -> Result<ReplyBody> {
      TRY(std::vector<TokenId> tokens, engine.tokenize(text->prompt));
      TokenizedText answer{.tokens = std::move(tokens), .pieces = {}};
      for (const TokenId token : answer.tokens) {
        if (!text->with_pieces) break;
        const std::string_view bytes = engine.token_bytes(token);
        answer.pieces.emplace_back(bytes.begin(), bytes.end());
      }
      return ReplyBody(TokensReply{std::move(answer)});
    });
  } else if (const auto* tokens = std::get_if<DetokenizeCall>(&call.body)) {
    ask_engine(id, [&](const engine::Engine& engine) -> Result<ReplyBody> {
      TRY(std::string decoded, engine.detokenize(tokens->tokens));
      return ReplyBody(TextReply{std::move(decoded)});
    });
  } else if (const auto* chat = std::get_if<ApplyTemplateCall>(&call.body)) {
    ask_engine(id, [&](const engine::Engine& engine) -> Result<ReplyBody> {
      TRY(std::string rendered, engine.apply_template(chat->prompt));
      return ReplyBody(TextReply{std::move(rendered)});
    });
  }
}

void EngineWorker::hello(uint64_t id, const HelloCall& call) {
  // The control plane compares the versions; a worker that differs says so in its own log.
  if (call.protocol != kEngineProtocolVersion || call.program != options_.program_version) {
    log_error("the control plane is of another version",
              {{"its", call.program}, {"ours", options_.program_version}});
  }
  reply(id, ReplyBody(HelloReply{kEngineProtocolVersion, options_.program_version, ::getpid()}));
}

void EngineWorker::load(uint64_t id, const LoadCall& call) {
  Result<std::unique_ptr<engine::Engine>> loaded =
      engine_owner_ ? Error{ErrorCode::kProtocolError, "a model is loaded already"}
                    : loader_(call.options, *this);
  const Status status = loaded.ok() ? produce_one_token(*loaded.value()) : loaded.error();
  if (!status.ok()) {
    const Error& error = status.error();
    log_error("the model could not be loaded", {{"model", call.model}, {"error", error.message}});
    reply(id, error);
    is_loading_ = false;
    return end(error_code_info(error.code).exit_code);
  }
  engine_owner_ = std::move(loaded).value();
  probe_stats_ = engine_owner_->stats();
  engine_ = engine_owner_.get();
  is_loading_ = false;
  reply(id, ReplyBody(engine_owner_->info()));
}

Status EngineWorker::produce_one_token(engine::Engine& engine) {
  engine::GenerationRequest probe;
  probe.id = kProbeRequest;
  probe.prompt = std::vector<TokenId>{0};
  probe.sampling.temperature = 0;
  probe.max_tokens = 1;
  probe.ignore_eos = true;
  TRY_STATUS(engine.submit(std::move(probe)));
  std::unique_lock lock(probe_mutex_);
  probe_changed_.wait(lock, [this] { return is_closing_ || probe_end_.has_value(); });
  if (!probe_end_) return Error{ErrorCode::kShuttingDown, "the worker is being stopped"};
  if (probe_end_->error) return *probe_end_->error;
  return {};
}

void EngineWorker::submit(uint64_t id, SubmitCall call) {
  const engine::RequestId request = call.request.id;
  const auto refuse = [&](Error error) {
    {
      const std::lock_guard lock(requests_mutex_);
      requests_.erase(request);
    }
    wake();  // the last one of a drain
    reply(id, std::move(error));
  };
  engine::Engine* engine = engine_;
  if (engine == nullptr) return refuse(not_loaded());
  {
    const std::lock_guard lock(requests_mutex_);
    if (requests_[request].is_cancelled) call.request.num_choices = 0;
  }
  if (call.request.num_choices == 0) return refuse({ErrorCode::kCancelled, "the request was cancelled"});
  Result<engine::SubmitReceipt> receipt = submit_to(*engine, std::move(call.request));
  if (!receipt.ok()) return refuse(std::move(receipt).error());

  bool is_cancelled = false;
  {
    const std::lock_guard lock(requests_mutex_);
    Running& running = requests_[request];
    is_cancelled = running.is_cancelled;
    announce(id, running, receipt.value());
  }
  if (is_cancelled) engine->cancel(request);
}

void EngineWorker::announce(uint64_t call_id, Running& running, const engine::SubmitReceipt& receipt) {
  running.is_announced = true;
  const std::vector<SequenceUpdate> early = std::move(running.early);
  reply(call_id, ReplyBody(receipt));
  if (early.empty()) return;
  forward(early);
  note_finishes(early);
}

// ---- the engine's thread

void EngineWorker::on_step(std::span<const SequenceUpdate> updates) {
  for (const SequenceUpdate& update : updates) {
    if (update.id != kProbeRequest || !update.finish) continue;
    const std::lock_guard lock(probe_mutex_);
    probe_end_ = update;
    probe_changed_.notify_all();
  }
  const std::lock_guard lock(requests_mutex_);
  std::vector<SequenceUpdate> forwarded;
  forwarded.reserve(updates.size());
  for (const SequenceUpdate& update : updates) {
    const auto running = requests_.find(update.id);
    if (running == requests_.end()) continue;  // the probe, or ended by refuse_oversized
    auto& target = running->second.is_announced ? forwarded : running->second.early;
    target.push_back(update);
  }
  if (forwarded.empty()) return;
  forward(forwarded);
  note_finishes(forwarded);
}

void EngineWorker::forward(std::span<const SequenceUpdate> updates) {
  const Result<std::string> frame = encode_frame(FrameKind::kStep, encode_step(updates));
  if (frame.ok()) return outbox_.send(frame.value());
  if (updates.size() > 1) {
    forward(updates.first(updates.size() / 2));
    return forward(updates.subspan(updates.size() / 2));
  }
  refuse_oversized(updates[0].id, frame.error());
}

// News of one choice that fit no frame: the log-probabilities of a very long prompt. Every choice ends with
// it.
void EngineWorker::refuse_oversized(engine::RequestId id, const Error& error) {
  const auto running = requests_.find(id);
  if (running == requests_.end()) return;
  for (size_t choice = 0; choice < running->second.finished.size(); ++choice) {
    if (running->second.finished[choice]) continue;
    SequenceUpdate refusal;
    refusal.id = id;
    refusal.choice = static_cast<int32_t>(choice);
    refusal.finish = engine::FinishReason::kError;
    refusal.error = error;
    outbox_.send(encode_frame(FrameKind::kStep, encode_step(std::span(&refusal, 1))).value());
  }
  requests_.erase(running);
  oversized_.push_back(id);
  wake();
}

void EngineWorker::note_finishes(std::span<const SequenceUpdate> updates) {
  bool has_finished = false;
  for (const SequenceUpdate& update : updates) {
    if (!update.finish) continue;
    has_finished = true;
    const auto running = requests_.find(update.id);
    if (running == requests_.end()) continue;
    std::vector<bool>& finished = running->second.finished;
    if (static_cast<size_t>(update.choice) < finished.size())
      finished[static_cast<size_t>(update.choice)] = true;
    if (std::find(finished.begin(), finished.end(), false) == finished.end()) requests_.erase(running);
  }
  if (!has_finished) return;
  wants_stats_ = true;
  wake();
}

}  // namespace llama_gpu::supervisor
