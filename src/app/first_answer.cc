// SPDX-License-Identifier: Apache-2.0
#include "app/first_answer.h"

#include <condition_variable>
#include <mutex>
#include <ostream>
#include <utility>

namespace llama_gpu::app {
namespace {

constexpr int64_t kMaxTokens = 64;
constexpr std::chrono::milliseconds kNewsPoll{50};

// Hands what the host's thread hears to the thread that prints.
class Inbox final : public supervisor::GenerationObserver {
 public:
  void on_accepted(const engine::SubmitReceipt&) override {}
  void on_update(const engine::SequenceUpdate& update) override {
    put(update.text, update.error, update.finish.has_value());
  }
  void on_failed(const Error& error) override { put("", error, true); }

  struct News {
    std::string text;
    std::optional<Error> error;
    bool is_finished = false;
  };
  // What came since the last call; waits for something, but not for long.
  News take() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kNewsPoll, [&] { return news_.is_finished || !news_.text.empty(); });
    return std::exchange(news_, {});
  }

 private:
  void put(const std::string& text, std::optional<Error> error, bool is_finished) {
    {
      const std::scoped_lock lock(mutex_);
      news_.text += text;
      if (error) news_.error = std::move(error);
      news_.is_finished |= is_finished;
    }
    changed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  News news_;  // guarded by mutex_
};

// A base model continues the text, as `run` has it.
engine::Prompt prompt_for(const supervisor::ModelHost& host, const std::string& model,
                          const std::string& text) {
  const std::optional<supervisor::ServedModel> served = host.find_model(model);
  if (served && served->info && !served->info->has_chat_template) return engine::TextPrompt{text};
  return engine::ChatPrompt{{{"user", text}}};
}

}  // namespace

Status show_first_answer(supervisor::ModelHost& host, const std::string& model, const std::string& prompt,
                         Console& console, const std::atomic<bool>& cancelled) {
  engine::GenerationRequest request;
  request.id = host.next_request_id();
  request.trace_id = "first-answer";
  request.prompt = prompt_for(host, model, prompt);
  request.sampling.temperature = 0;
  request.max_tokens = kMaxTokens;
  const engine::RequestId id = request.id;

  const auto inbox = std::make_shared<Inbox>();
  console.out << "> " << prompt << "\n" << std::flush;
  host.generate(model, std::move(request), inbox);
  while (!cancelled) {
    const Inbox::News news = inbox->take();
    console.out << news.text << std::flush;
    if (news.error) return *news.error;
    if (!news.is_finished) continue;
    console.out << std::endl;
    return {};
  }
  host.cancel(id);
  return {};
}

}  // namespace llama_gpu::app
