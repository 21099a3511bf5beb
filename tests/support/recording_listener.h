// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/generation.h"

namespace llama_gpu::test_support {

// All that was heard of one choice of one request, put together.
struct Answer {
  std::string text;
  std::vector<TokenId> tokens;
  std::vector<engine::TokenLogprob> logprobs;
  std::vector<engine::TokenLogprob> prompt_logprobs;
  std::optional<engine::FinishReason> finish;
  std::optional<Error> error;
  std::vector<uint64_t> queue_microseconds;  // one, unless something is wrong
  int num_updates = 0;
  int num_updates_after_finish = 0;
};

// Puts the updates of an engine together and lets a test wait for their end. Thread-safe.
class RecordingListener : public engine::GenerationListener {
 public:
  void on_step(std::span<const engine::SequenceUpdate> updates) override {
    {
      const std::lock_guard lock(mutex_);
      for (const engine::SequenceUpdate& update : updates) add(update);
    }
    changed_.notify_all();
  }

  // The whole answer; what there is of it after two minutes.
  Answer wait_for(engine::RequestId id, int32_t choice = 0) {
    std::unique_lock lock(mutex_);
    Answer& answer = answers_[{id, choice}];
    changed_.wait_for(lock, std::chrono::minutes(2), [&] { return answer.finish.has_value(); });
    return answer;
  }

  // Waits until the choice has at least this many tokens, or has ended.
  void wait_for_tokens(engine::RequestId id, size_t num_tokens) {
    std::unique_lock lock(mutex_);
    Answer& answer = answers_[{id, 0}];
    changed_.wait_for(lock, std::chrono::minutes(2),
                      [&] { return answer.finish.has_value() || answer.tokens.size() >= num_tokens; });
  }

 private:
  void add(const engine::SequenceUpdate& update) {
    Answer& answer = answers_[{update.id, update.choice}];
    if (answer.finish) ++answer.num_updates_after_finish;
    ++answer.num_updates;
    answer.text += update.text;
    answer.tokens.insert(answer.tokens.end(), update.tokens.begin(), update.tokens.end());
    answer.logprobs.insert(answer.logprobs.end(), update.logprobs.begin(), update.logprobs.end());
    answer.prompt_logprobs.insert(answer.prompt_logprobs.end(), update.prompt_logprobs.begin(),
                                  update.prompt_logprobs.end());
    if (update.finish) answer.finish = update.finish;
    if (update.queue_microseconds) answer.queue_microseconds.push_back(*update.queue_microseconds);
    if (update.error) answer.error = update.error;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<engine::RequestId, int32_t>, Answer> answers_;
};

}  // namespace llama_gpu::test_support
