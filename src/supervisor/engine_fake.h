// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/engine.h"

namespace llama_gpu::supervisor {

// An engine without a model, for tests of what surrounds one. Each step gives every running choice one token
// more: token i is 100 + i, its text "t<i> ". Thread-safe, as an Engine is.
//
// The model path scripts it, "fake" or "fake:name=value,...":
// - load_ms=N: loading takes so long
// - load_error=CODE: loading fails with a code of api/errors.yaml
// - load_signal=N, load_exit=N: loading ends the process
// - step_ms=N: a step takes so long where a text prompt runs
// - first_error=CODE: a prompt of tokens ends with this error
//
// A text prompt that starts with '!' scripts one request, which otherwise answers max_tokens tokens or 16:
// - !signal N AFTER, !exit N AFTER: the process ends so, once it gave AFTER tokens
// - !hang AFTER: the engine's thread stops for good
// - !refuse: submit fails
// - !submit-ms N: submit takes so long
// - !fat BYTES: each update is so large
// - !call NAME: each step calls the hook of that name
// - !tokenize NAME: turning it into tokens calls that hook, also where nothing is generated
class FakeEngine final : public engine::Engine {
 public:
  using Hooks = std::map<std::string, std::function<void()>, std::less<>>;

  // As Engine::load. `listener` outlives the engine.
  static Result<std::unique_ptr<engine::Engine>> load(const engine::EngineOptions& options,
                                                      engine::GenerationListener& listener, Hooks hooks = {});
  ~FakeEngine() override;

  Result<engine::SubmitReceipt> submit(engine::GenerationRequest request) override;
  void cancel(engine::RequestId id) override;
  engine::ModelInfo info() const override;
  engine::EngineStats stats() const override;
  // One token for each byte, with its value.
  Result<std::vector<TokenId>> tokenize(const engine::TextPrompt& prompt) const override;
  Result<std::string> detokenize(std::span<const TokenId> tokens) const override;
  Result<std::string> apply_template(const engine::ChatPrompt& prompt) const override;
  std::string_view token_bytes(TokenId token) const override;

 private:
  struct Running {
    engine::GenerationRequest request;
    int64_t num_tokens = 0;  // given so far
  };

  FakeEngine(const engine::EngineOptions& options, engine::GenerationListener& listener, Hooks hooks);

  void run();
  bool has_text_prompt() const;
  std::vector<engine::SequenceUpdate> step();
  void finish(const Running& running, engine::FinishReason reason,
              std::vector<engine::SequenceUpdate>& updates) const;
  void obey(const Running& running) const;

  engine::EngineOptions options_;
  engine::GenerationListener& listener_;
  Hooks hooks_;
  std::chrono::milliseconds step_time_;
  std::optional<ErrorCode> first_error_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<engine::RequestId, Running> running_;  // guarded by mutex_, as is the rest
  std::vector<engine::SequenceUpdate> cancelled_;
  engine::EngineStats stats_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace llama_gpu::supervisor
