// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <random>
#include <thread>
#include <unordered_map>
#include <utility>
#include <variant>

#include "engine/accept_request.h"
#include "engine/generator.h"
#include "engine/load_engine.h"
#include "engine/prompt_encoder.h"

namespace llama_gpu::engine {
namespace {

// The engine thread owns the generator; what other threads hand to it and read from it is guarded by
// `mutex_`.
class ThreadedEngine : public Engine {
 public:
  ThreadedEngine(LoadedEngine loaded, int32_t max_requests, GenerationListener& listener)
      : loaded_(std::move(loaded)),
        max_requests_(static_cast<size_t>(max_requests)),
        listener_(listener),
        thread_([this] { run(); }) {}
  ~ThreadedEngine() override;

  Result<SubmitReceipt> submit(GenerationRequest request) override;
  void cancel(RequestId id) override;
  ModelInfo info() const override { return loaded_.info; }
  EngineStats stats() const override;
  Result<std::vector<TokenId>> tokenize(const TextPrompt& prompt) const override;
  Result<std::string> detokenize(std::span<const TokenId> tokens) const override;
  Result<std::string> apply_template(const ChatPrompt& prompt) const override;
  std::string_view token_bytes(TokenId token) const override;

 private:
  // What other threads ask of the engine thread, in order.
  struct Cancel {
    RequestId id;
  };
  using Command = std::variant<std::shared_ptr<const AcceptedRequest>, Cancel>;

  void run();
  bool take_commands();
  void apply_commands();
  void give_out_updates();

  LoadedEngine loaded_;
  size_t max_requests_;
  GenerationListener& listener_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::vector<Command> inbox_;
  int32_t unseen_choices_ = 0;                         // submitted, and not in stats_ yet
  std::unordered_map<RequestId, int32_t> unfinished_;  // choices that have not ended, by request
  EngineStats stats_;
  std::mt19937_64 random_{std::random_device{}()};

  std::vector<Command> commands_;  // engine thread: taken from the inbox
  int32_t taken_choices_ = 0;      // engine thread: among unseen_choices_, in the step that runs
  std::thread thread_;             // last: it uses all of the above
};

ThreadedEngine::~ThreadedEngine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Result<SubmitReceipt> ThreadedEngine::submit(GenerationRequest request) {
  const SteadyTime now = system_clock().now();
  const SteadyTime received =
      request.received_ns ? std::min(now, SteadyTime(std::chrono::nanoseconds(*request.received_ns))) : now;
  uint64_t drawn_seed;
  {
    const std::lock_guard lock(mutex_);
    drawn_seed = random_();
  }
  TRY(std::shared_ptr<const AcceptedRequest> accepted,
      accept_request(std::move(request),
                     {*loaded_.encoder, loaded_.info.context_tokens, drawn_seed, received}));
  SubmitReceipt receipt = {accepted->id, accepted->prompt};
  {
    const std::lock_guard lock(mutex_);
    if (unfinished_.size() >= max_requests_) {
      return Error{ErrorCode::kOverloaded,
                   std::to_string(max_requests_) + " requests run or wait already, as many as may",
                   "try again later, or raise engine.max_requests"};
    }
    if (!unfinished_.emplace(accepted->id, accepted->num_choices).second) {
      return Error{ErrorCode::kInvalidValue,
                   "request " + std::to_string(accepted->id) + " is running already", "choose another id",
                   "id"};
    }
    unseen_choices_ += accepted->num_choices;
    inbox_.push_back(std::move(accepted));
  }
  wake_.notify_one();
  return receipt;
}

void ThreadedEngine::cancel(RequestId id) {
  {
    const std::lock_guard lock(mutex_);
    if (!unfinished_.contains(id)) return;
    inbox_.push_back(Cancel{id});
  }
  wake_.notify_one();
}

void ThreadedEngine::run() {
  bool is_running = true;
  while (is_running) {
    is_running = take_commands();
    try {
      apply_commands();
      if (is_running) {
        loaded_.generator->step();
      } else {
        loaded_.generator->end_all(nullptr);
      }
    } catch (const std::bad_alloc&) {
      const Error error = {ErrorCode::kOutOfMemory, "memory ran out during a step",
                           "run fewer requests at once"};
      loaded_.generator->end_all(&error);
    } catch (const std::exception& exception) {
      const Error error = {ErrorCode::kInternal, std::string("a step failed: ") + exception.what()};
      loaded_.generator->end_all(&error);
    }
    give_out_updates();
  }
}

// Waits for something to do. False when the engine is to end; what was queued is taken all the same, so that
// it hears of that.
bool ThreadedEngine::take_commands() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !inbox_.empty() || loaded_.generator->has_work(); });
  commands_.clear();
  commands_.swap(inbox_);
  taken_choices_ = unseen_choices_;
  return !stopping_;
}

void ThreadedEngine::apply_commands() {
  for (Command& command : commands_) {
    if (const auto* cancel = std::get_if<Cancel>(&command)) {
      loaded_.generator->cancel(cancel->id);
    } else {
      loaded_.generator->add(std::get<std::shared_ptr<const AcceptedRequest>>(std::move(command)));
    }
  }
}

void ThreadedEngine::give_out_updates() {
  const auto updates = loaded_.generator->updates();
  {
    const std::lock_guard lock(mutex_);
    stats_ = loaded_.generator->stats();
    unseen_choices_ -= std::exchange(taken_choices_, 0);
    for (const SequenceUpdate& update : updates) {
      if (!update.finish) continue;
      const auto request = unfinished_.find(update.id);
      if (request != unfinished_.end() && --request->second == 0) unfinished_.erase(request);
    }
  }
  if (!updates.empty()) listener_.on_step(updates);
  loaded_.generator->clear_updates();
}

EngineStats ThreadedEngine::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.waiting += unseen_choices_;
  return stats;
}

Result<std::vector<TokenId>> ThreadedEngine::tokenize(const TextPrompt& prompt) const {
  return loaded_.encoder->encode_text(prompt);
}

Result<std::string> ThreadedEngine::detokenize(std::span<const TokenId> tokens) const {
  return loaded_.encoder->decode(tokens);
}

Result<std::string> ThreadedEngine::apply_template(const ChatPrompt& prompt) const {
  return loaded_.encoder->render(prompt);
}

std::string_view ThreadedEngine::token_bytes(TokenId token) const {
  return loaded_.encoder->tokenizer().token_bytes(token);
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::load(const BackendRegistry& backends, const EngineOptions& options,
                                             GenerationListener& listener) {
  TRY(LoadedEngine loaded, load_engine(backends, options));
  return std::unique_ptr<Engine>(
      std::make_unique<ThreadedEngine>(std::move(loaded), options.max_requests, listener));
}

}  // namespace llama_gpu::engine
