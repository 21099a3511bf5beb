// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "app/answer_source.h"
#include "app/update_queue.h"
#include "engine/engine.h"
#include "ops/backend.h"

namespace llama_gpu::app {

// Answers with an engine in this process. One thread.
class LocalAnswers final : public AnswerSource {
 public:
  // Blocks until the model can answer; errors as Engine::load.
  static Result<std::unique_ptr<LocalAnswers>> load(const BackendRegistry& backends,
                                                    const engine::EngineOptions& options);

  bool has_chat_template() const override { return engine_->info().has_chat_template; }
  Result<AnswerEnd> answer(const std::vector<text::ChatMessage>& conversation, const AnswerOptions& options,
                           const std::function<void(std::string_view)>& on_text,
                           const std::atomic<bool>& cancelled) override;
  Result<AnswerEnd> complete(const std::string& text, const AnswerOptions& options,
                             const std::function<void(std::string_view)>& on_text,
                             const std::atomic<bool>& cancelled) override;

 private:
  Result<AnswerEnd> generate(engine::Prompt prompt, const AnswerOptions& options,
                             const std::function<void(std::string_view)>& on_text,
                             const std::atomic<bool>& cancelled);

  UpdateQueue updates_;
  engine::RequestId next_id_ = 1;
  std::unique_ptr<engine::Engine> engine_;  // last: ends before the queue that it writes to
};

}  // namespace llama_gpu::app
