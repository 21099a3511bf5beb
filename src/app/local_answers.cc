// SPDX-License-Identifier: Apache-2.0
#include "app/local_answers.h"

namespace llama_gpu::app {

Result<std::unique_ptr<LocalAnswers>> LocalAnswers::load(const BackendRegistry& backends,
                                                         const engine::EngineOptions& options) {
  auto source = std::make_unique<LocalAnswers>();
  TRY(source->engine_, engine::Engine::load(backends, options, source->updates_));
  return source;
}

Result<AnswerEnd> LocalAnswers::answer(const std::vector<text::ChatMessage>& conversation,
                                       const AnswerOptions& options,
                                       const std::function<void(std::string_view)>& on_text,
                                       const std::atomic<bool>& cancelled) {
  return generate(engine::ChatPrompt{conversation}, options, on_text, cancelled);
}

Result<AnswerEnd> LocalAnswers::complete(const std::string& text, const AnswerOptions& options,
                                         const std::function<void(std::string_view)>& on_text,
                                         const std::atomic<bool>& cancelled) {
  return generate(engine::TextPrompt{text}, options, on_text, cancelled);
}

Result<AnswerEnd> LocalAnswers::generate(engine::Prompt prompt, const AnswerOptions& options,
                                         const std::function<void(std::string_view)>& on_text,
                                         const std::atomic<bool>& cancelled) {
  if (cancelled) return AnswerEnd{engine::FinishReason::kCancelled, ""};
  engine::GenerationRequest request;
  request.id = next_id_++;
  request.prompt = std::move(prompt);
  request.max_tokens = options.max_tokens;
  if (options.temperature) request.sampling.temperature = float(*options.temperature);
  if (options.top_p) request.sampling.top_p = float(*options.top_p);
  if (options.seed) request.sampling.seed = uint64_t(*options.seed);
  const engine::RequestId id = request.id;
  TRY(const engine::SubmitReceipt receipt, engine_->submit(std::move(request)));

  AnswerEnd end;
  for (bool told_engine = false;;) {
    if (cancelled && !told_engine) {
      engine_->cancel(id);
      told_engine = true;
    }
    for (const UpdateQueue::Arrival& arrival : updates_.take(std::chrono::milliseconds(50))) {
      const engine::SequenceUpdate& update = arrival.update;
      if (update.id != receipt.id) continue;
      if (!update.text.empty()) on_text(update.text);
      end.text += update.text;
      if (update.error) return *update.error;
      if (!update.finish) continue;
      end.reason = *update.finish;
      return end;
    }
  }
}

}  // namespace llama_gpu::app
