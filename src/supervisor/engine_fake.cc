// SPDX-License-Identifier: Apache-2.0
#include "supervisor/engine_fake.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "base/strings.h"

namespace llama_gpu::supervisor {
namespace {

using namespace engine;
using std::chrono::milliseconds;

constexpr int64_t kDefaultTokens = 16;
constexpr TokenId kFirstToken = 100;

// The value of "name=" in "fake:name=value,...".
std::string_view script_value(std::string_view model_path, std::string_view name) {
  for (const std::string_view part : split(split_once(model_path, ':').second, ',')) {
    const auto [key, value] = split_once(part, '=');
    if (key == name) return value;
  }
  return {};
}

int64_t script_number(std::string_view model_path, std::string_view name) {
  return parse_integer(script_value(model_path, name)).value_or(0);
}

std::optional<ErrorCode> error_code_named(std::string_view name) {
  for (const ErrorCodeInfo& info : kErrorCodes) {
    if (info.name == name) return info.code;
  }
  return std::nullopt;
}

// The words of "!name first second", or nothing.
std::vector<std::string_view> command_words(const TextPrompt& prompt) {
  if (!prompt.text.starts_with('!')) return {};
  return split(prompt.text, ' ');
}

std::vector<std::string_view> command_words(const GenerationRequest& request) {
  const auto* prompt = std::get_if<TextPrompt>(&request.prompt);
  return prompt == nullptr ? std::vector<std::string_view>() : command_words(*prompt);
}

int64_t number_at(const std::vector<std::string_view>& words, size_t index) {
  return index < words.size() ? parse_integer(words[index]).value_or(0) : 0;
}

std::string token_text(int64_t index) { return "t" + std::to_string(index) + " "; }

}  // namespace

Result<std::unique_ptr<Engine>> FakeEngine::load(const EngineOptions& options, GenerationListener& listener,
                                                 Hooks hooks) {
  const std::string& path = options.model_path;
  std::this_thread::sleep_for(milliseconds(script_number(path, "load_ms")));
  if (const int64_t signal = script_number(path, "load_signal"); signal != 0)
    ::raise(static_cast<int>(signal));
  if (const int64_t code = script_number(path, "load_exit"); code != 0) ::_exit(static_cast<int>(code));
  if (const auto code = error_code_named(script_value(path, "load_error"))) {
    return Error{*code, "the fake model cannot be loaded"};
  }
  return std::unique_ptr<Engine>(new FakeEngine(options, listener, std::move(hooks)));
}

FakeEngine::FakeEngine(const EngineOptions& options, GenerationListener& listener, Hooks hooks)
    : options_(options),
      listener_(listener),
      hooks_(std::move(hooks)),
      step_time_(script_number(options.model_path, "step_ms")),
      first_error_(error_code_named(script_value(options.model_path, "first_error"))),
      thread_(&FakeEngine::run, this) {}

FakeEngine::~FakeEngine() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<SubmitReceipt> FakeEngine::submit(GenerationRequest request) {
  const std::vector<std::string_view> words = command_words(request);
  if (!words.empty() && words[0] == "!refuse") {
    return Error{ErrorCode::kContextLengthExceeded, "the fake refuses", "say something else", "prompt"};
  }
  if (!words.empty() && words[0] == "!submit-ms")
    std::this_thread::sleep_for(milliseconds(number_at(words, 1)));
  SubmitReceipt receipt{request.id, {}};
  if (const auto* prompt = std::get_if<TextPrompt>(&request.prompt))
    receipt.prompt_tokens = tokenize(*prompt).value();
  if (const auto* tokens = std::get_if<std::vector<TokenId>>(&request.prompt))
    receipt.prompt_tokens = *tokens;
  {
    const std::lock_guard lock(mutex_);
    stats_.prompt_tokens += receipt.prompt_tokens.size();
    running_[receipt.id] = {std::move(request), 0};
  }
  changed_.notify_all();
  return receipt;
}

void FakeEngine::cancel(RequestId id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(id);
    if (found == running_.end()) return;
    finish(found->second, FinishReason::kCancelled, cancelled_);
    running_.erase(found);
  }
  changed_.notify_all();
}

void FakeEngine::finish(const Running& running, FinishReason reason,
                        std::vector<SequenceUpdate>& updates) const {
  for (int32_t choice = 0; choice < running.request.num_choices; ++choice) {
    SequenceUpdate update;
    update.id = running.request.id;
    update.choice = choice;
    update.finish = reason;
    updates.push_back(std::move(update));
  }
}

void FakeEngine::run() {
  for (;;) {
    std::vector<Running> scripted;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_ending_ || !running_.empty() || !cancelled_.empty(); });
      // Pacing, not waiting for something: only the end cuts it short.
      if (has_text_prompt()) changed_.wait_for(lock, step_time_, [this] { return is_ending_; });
      if (is_ending_) return;
      for (const auto& [id, running] : running_) scripted.push_back(running);
    }
    // Without the lock: like a real engine, one that hangs still gives its figures.
    for (const Running& running : scripted) obey(running);
    std::vector<SequenceUpdate> updates;
    {
      const std::lock_guard lock(mutex_);
      updates = step();
    }
    listener_.on_step(updates);
  }
}

bool FakeEngine::has_text_prompt() const {
  return std::any_of(running_.begin(), running_.end(), [](const auto& entry) {
    return std::holds_alternative<TextPrompt>(entry.second.request.prompt);
  });
}

std::vector<SequenceUpdate> FakeEngine::step() {
  std::vector<SequenceUpdate> updates = std::exchange(cancelled_, {});
  ++stats_.steps;
  for (auto entry = running_.begin(); entry != running_.end();) {
    Running& running = entry->second;
    const bool is_last = ++running.num_tokens >= running.request.max_tokens.value_or(kDefaultTokens);
    for (int32_t choice = 0; choice < running.request.num_choices; ++choice) {
      SequenceUpdate update;
      update.id = running.request.id;
      update.choice = choice;
      update.text = token_text(running.num_tokens - 1);
      update.tokens = {static_cast<TokenId>(kFirstToken + running.num_tokens - 1)};
      if (is_last) update.finish = FinishReason::kLength;
      if (first_error_ && !std::holds_alternative<TextPrompt>(running.request.prompt)) {
        update.finish = FinishReason::kError;
        update.error = Error{*first_error_, "the fake cannot answer"};
      }
      const auto words = command_words(running.request);
      if (!words.empty() && words[0] == "!fat")
        update.text.append(static_cast<size_t>(number_at(words, 1)), 'x');
      updates.push_back(std::move(update));
      ++stats_.generated_tokens;
    }
    entry = is_last ? running_.erase(entry) : std::next(entry);
  }
  return updates;
}

void FakeEngine::obey(const Running& running) const {
  const std::vector<std::string_view> words = command_words(running.request);
  if (words.empty()) return;
  const std::string_view name = words[0];
  if (name == "!signal" && running.num_tokens == number_at(words, 2))
    ::raise(static_cast<int>(number_at(words, 1)));
  if (name == "!exit" && running.num_tokens == number_at(words, 2))
    ::_exit(static_cast<int>(number_at(words, 1)));
  if (name == "!hang" && running.num_tokens == number_at(words, 1)) {
    for (;;) ::pause();
  }
  const auto hook = name == "!call" && words.size() > 1 ? hooks_.find(words[1]) : hooks_.end();
  if (hook != hooks_.end()) hook->second();
}

ModelInfo FakeEngine::info() const {
  ModelInfo info;
  info.path = options_.model_path;
  info.architecture = "fake";
  info.name = "fake";
  info.vocab_size = 256;
  info.context_tokens = 4096;
  info.backend = "fake";
  return info;
}

EngineStats FakeEngine::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.running = static_cast<int32_t>(running_.size());
  return stats;
}

Result<std::vector<TokenId>> FakeEngine::tokenize(const TextPrompt& prompt) const {
  const std::vector<std::string_view> words = command_words(prompt);
  if (words.size() > 1 && words[0] == "!tokenize") hooks_.find(words[1])->second();
  std::vector<TokenId> tokens;
  for (const char byte : prompt.text) tokens.push_back(static_cast<unsigned char>(byte));
  return tokens;
}

Result<std::string> FakeEngine::detokenize(std::span<const TokenId> tokens) const {
  std::string text;
  for (const TokenId token : tokens) {
    if (token < 0 || token > 255) return Error{ErrorCode::kInvalidValue, "no such token", "", "tokens"};
    text += static_cast<char>(token);
  }
  return text;
}

Result<std::string> FakeEngine::apply_template(const ChatPrompt& prompt) const {
  std::string text;
  for (const text::ChatMessage& message : prompt.messages)
    text += message.role + ": " + message.content + "\n";
  return text;
}

std::string_view FakeEngine::token_bytes(TokenId) const { return "t"; }

}  // namespace llama_gpu::supervisor
