// SPDX-License-Identifier: Apache-2.0
#include "server/request_filter.h"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace llama_gpu::server {
namespace {

using Prompts = std::vector<engine::Prompt>;

// nullopt for token ids.
std::optional<FilterText> text_of_prompt(const engine::Prompt& prompt) {
  if (const auto* text = std::get_if<engine::TextPrompt>(&prompt)) return FilterText(text->text);
  if (const auto* chat = std::get_if<engine::ChatPrompt>(&prompt)) return FilterText(chat->messages);
  return std::nullopt;
}

// Whether the text was of the prompt's kind.
bool put_text(engine::Prompt& prompt, FilterText text) {
  auto* const as_text = std::get_if<engine::TextPrompt>(&prompt);
  auto* const as_chat = std::get_if<engine::ChatPrompt>(&prompt);
  if (as_text != nullptr && std::holds_alternative<std::string>(text)) {
    as_text->text = std::get<std::string>(std::move(text));
    return true;
  }
  if (as_chat != nullptr && std::holds_alternative<std::vector<text::ChatMessage>>(text)) {
    as_chat->messages = std::get<std::vector<text::ChatMessage>>(std::move(text));
    return true;
  }
  return false;
}

// Waits for the filter's answers to several prompts. Thread-safe.
class FilteredPrompts {
 public:
  FilteredPrompts(Prompts prompts, size_t num_awaited, std::function<void(Result<Prompts>)> done)
      : prompts_(std::move(prompts)), num_awaited_(num_awaited), done_(std::move(done)) {}

  void take(size_t index, Result<FilterText> text) {
    std::optional<Result<Prompts>> result;
    {
      const std::lock_guard lock(mutex_);
      if (has_ended_) return;
      if (!text.ok()) {
        result = std::move(text).error();
      } else if (!put_text(prompts_[index], *std::move(text))) {
        result = Error{ErrorCode::kInternal, "a request filter answered another kind of text"};
      } else if (--num_awaited_ == 0) {
        result = std::move(prompts_);
      }
      has_ended_ = result.has_value();
    }
    if (result) done_(*std::move(result));
  }

 private:
  std::mutex mutex_;
  Prompts prompts_;
  size_t num_awaited_;
  bool has_ended_ = false;
  std::function<void(Result<Prompts>)> done_;
};

}  // namespace

void filter_prompts(RequestFilter& filter, const FilterRequest& about, Prompts prompts,
                    std::function<void(Result<Prompts>)> done) {
  std::vector<std::pair<size_t, FilterText>> texts;
  for (size_t i = 0; i < prompts.size(); ++i) {
    if (auto text = text_of_prompt(prompts[i])) texts.emplace_back(i, *std::move(text));
  }
  if (texts.size() < prompts.size() && filter.must_see_all()) {
    return done(Error{ErrorCode::kPluginRejected,
                      "a prompt of token ids cannot be read by the request filters", "send it as text",
                      "prompt"});
  }
  if (texts.empty()) return done(std::move(prompts));
  const auto filtered = std::make_shared<FilteredPrompts>(std::move(prompts), texts.size(), std::move(done));
  for (auto& [index, text] : texts) {
    filter.filter({about.request_id, about.model, std::move(text)},
                  [filtered, i = index](Result<FilterText> answer) { filtered->take(i, std::move(answer)); });
  }
}

}  // namespace llama_gpu::server
