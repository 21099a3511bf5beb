// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "supervisor/model_host.h"

namespace llama_gpu::server {

// A host with one model "fake" whose tokens are bytes. It answers each request with the script, at once and
// on the caller's thread, or, without a script, waits for the test to send what the engine would.
// Thread-safe.
class FakeModelHost : public supervisor::ModelHost {
 public:
  // What generate() was asked for.
  struct Pending {
    std::string model;
    engine::GenerationRequest request;
    std::shared_ptr<supervisor::GenerationObserver> observer;
  };

  FakeModelHost() {
    supervisor::ServedModel& model = models_.emplace_back();
    model.id = "fake";
    model.aliases = {"alias"};
    model.created_unix_seconds = 1'700'000'000;
    model.is_ready = true;
    model.info.emplace().context_tokens = 2048;
  }

  // Pieces of text, one token each; empty: the test answers.
  void set_script(std::vector<std::string> pieces) {
    with_lock([&] { script_ = std::move(pieces); });
  }
  void set_models(std::vector<supervisor::ServedModel> models) {
    with_lock([&] { models_ = std::move(models); });
  }
  void set_workers(std::vector<supervisor::WorkerStatus> workers) {
    with_lock([&] { workers_ = std::move(workers); });
  }
  // While set, tokenize, detokenize and apply_template keep their callbacks for release_held().
  void hold_calls(bool is_held) {
    with_lock([&] { is_held_ = is_held; });
  }
  void release_held() {
    std::vector<std::function<void()>> held;
    with_lock([&] { held.swap(held_); });
    for (const auto& call : held) call();
  }
  // What those three answer instead, until cleared.
  void set_call_error(std::optional<Error> error) {
    with_lock([&] { call_error_ = std::move(error); });
  }

  // The request that was the `index`-th to come; blocks until it did.
  Pending wait_for_request(size_t index = 0) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return pending_.size() > index; });
    return pending_[index];
  }
  // Blocks until `count` requests were cancelled; returns all that were.
  std::vector<engine::RequestId> wait_for_cancels(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return cancelled_.size() >= count; });
    return cancelled_;
  }
  size_t num_requests() const {
    const std::lock_guard lock(mutex_);
    return pending_.size();
  }
  size_t num_cancels() const {
    const std::lock_guard lock(mutex_);
    return cancelled_.size();
  }

  // ModelHost
  std::vector<supervisor::ServedModel> models() const override {
    const std::lock_guard lock(mutex_);
    return models_;
  }
  std::vector<supervisor::WorkerStatus> workers() const override {
    const std::lock_guard lock(mutex_);
    return workers_;
  }
  std::optional<supervisor::ServedModel> find_model(std::string_view name) const override {
    for (auto& model : models()) {
      const bool is_alias = std::ranges::find(model.aliases, name) != model.aliases.end();
      if (model.id == name || is_alias) return model;
    }
    return std::nullopt;
  }

  // Ids count up from 1.
  engine::RequestId next_request_id() override {
    const std::lock_guard lock(mutex_);
    return ++last_id_;
  }

  // Keeps the request, and plays the script where there is one.
  void generate(const std::string& model, engine::GenerationRequest request,
                std::shared_ptr<supervisor::GenerationObserver> observer) override {
    std::vector<std::string> script;
    with_lock([&] {
      script = script_;
      pending_.push_back({model, request, observer});
    });
    if (!script.empty()) play(script, request, *observer);
  }

  void cancel(engine::RequestId id) override {
    with_lock([&] { cancelled_.push_back(id); });
  }

  // Answer on the caller's thread, or with release_held().
  engine::RequestId tokenize(const std::string&, engine::TextPrompt prompt, bool with_pieces,
                             std::function<void(Result<supervisor::TokenizedText>)> done) override {
    supervisor::TokenizedText text{.tokens = bytes_of(prompt.text), .pieces = {}};
    for (const TokenId token : text.tokens) {
      if (with_pieces) text.pieces.push_back({static_cast<uint8_t>(token)});
    }
    return answer<supervisor::TokenizedText>(std::move(text), std::move(done));
  }
  engine::RequestId detokenize(const std::string&, std::vector<TokenId> tokens,
                               std::function<void(Result<std::string>)> done) override {
    return answer<std::string>(text_of(tokens), std::move(done));
  }
  engine::RequestId apply_template(const std::string&, engine::ChatPrompt prompt,
                                   std::function<void(Result<std::string>)> done) override {
    return answer<std::string>(render(prompt), std::move(done));
  }

  // The tokens of a prompt: its bytes.
  static std::vector<TokenId> tokens_of(const engine::Prompt& prompt) {
    if (const auto* ids = std::get_if<std::vector<TokenId>>(&prompt)) return *ids;
    if (const auto* text = std::get_if<engine::TextPrompt>(&prompt)) return bytes_of(text->text);
    return bytes_of(render(std::get<engine::ChatPrompt>(prompt)));
  }

 private:
  template <typename F>
  void with_lock(F change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }

  template <typename T>
  engine::RequestId answer(T value, std::function<void(Result<T>)> done) {
    std::optional<Error> error;
    bool is_held = false;
    with_lock([&] {
      error = call_error_;
      is_held = is_held_;
    });
    auto call = [done = std::move(done), result = error ? Result<T>(*error) : Result<T>(std::move(value))] {
      done(result);
    };
    is_held ? with_lock([&] { held_.push_back(call); }) : call();
    return next_request_id();
  }

  static std::string text_of(const std::vector<TokenId>& tokens) {
    std::string text;
    for (const TokenId token : tokens) text += static_cast<char>(token);
    return text;
  }

  static std::optional<std::string> text_of(const engine::GenerationRequest& request,
                                            const std::vector<TokenId>& prompt) {
    return request.wants_prompt_text ? std::optional(text_of(prompt)) : std::nullopt;
  }

  static std::vector<TokenId> bytes_of(const std::string& text) {
    std::vector<TokenId> tokens;
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
  }

  static std::string render(const engine::ChatPrompt& prompt) {
    std::string text;
    for (const auto& message : prompt.messages) text += message.role + ": " + message.content + "\n";
    return prompt.add_generation_prompt ? text + "assistant:" : text;
  }

  static engine::TokenLogprob logprob_of(std::string piece, int32_t num_top) {
    engine::TokenLogprob logprob{
        .token = 1, .bytes = std::move(piece), .logprob = -0.5F, .top = {}, .top_bytes = {}};
    for (int32_t i = 0; i < num_top; ++i) {
      logprob.top.emplace_back(i, -0.5F - static_cast<float>(i));
      logprob.top_bytes.push_back(i == 0 ? logprob.bytes : "alt" + std::to_string(i));
    }
    return logprob;
  }

  static void play(const std::vector<std::string>& script, const engine::GenerationRequest& request,
                   supervisor::GenerationObserver& observer) {
    const std::vector<TokenId> prompt = tokens_of(request.prompt);
    observer.on_accepted(
        {.id = request.id, .prompt_tokens = prompt, .prompt_text = text_of(request, prompt)});
    for (int32_t choice = 0; choice < request.num_choices; ++choice)
      play_choice(script, request, choice, observer);
  }

  static void play_choice(const std::vector<std::string>& script, const engine::GenerationRequest& request,
                          int32_t choice, supervisor::GenerationObserver& observer) {
    const auto limit = static_cast<size_t>(request.max_tokens.value_or(1 << 20));
    const size_t count = std::min(script.size(), limit);
    for (size_t i = 0; i < std::max<size_t>(count, 1); ++i) {
      engine::SequenceUpdate update;
      update.id = request.id;
      update.choice = choice;
      if (i == 0 && request.prompt_logprobs) {
        for (const TokenId token : tokens_of(request.prompt)) {
          update.prompt_logprobs.push_back(logprob_of(std::string(1, static_cast<char>(token)), 0));
        }
      }
      if (i < count) {
        update.text = script[i];
        update.tokens.push_back(static_cast<TokenId>(i));
        if (request.top_logprobs) update.logprobs.push_back(logprob_of(script[i], *request.top_logprobs));
      }
      if (i + 1 >= count) {
        update.finish = count < script.size() ? engine::FinishReason::kLength : engine::FinishReason::kStop;
      }
      observer.on_update(update);
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> script_;
  std::vector<supervisor::ServedModel> models_;
  std::vector<supervisor::WorkerStatus> workers_;
  std::vector<Pending> pending_;
  std::vector<engine::RequestId> cancelled_;
  std::vector<std::function<void()>> held_;
  std::optional<Error> call_error_;
  bool is_held_ = false;
  engine::RequestId last_id_ = 0;
};

}  // namespace llama_gpu::server
