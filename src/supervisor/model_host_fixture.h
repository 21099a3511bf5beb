// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "supervisor/supervised_model_host.h"

namespace llama_gpu::supervisor {

using namespace std::chrono_literals;
using engine::FinishReason;
using engine::SequenceUpdate;

// Nothing here takes so long; only a failing test does.
inline constexpr auto kPatience = 60s;

// Keeps what one request hears, for a test that waits for it.
class Heard final : public GenerationObserver {
 public:
  void on_accepted(const engine::SubmitReceipt&) override {
    change([this] { ++num_accepted_; });
  }
  void on_update(const SequenceUpdate& update) override {
    change([&] {
      text_ += update.text;
      if (update.finish) finish_ = update.finish;
    });
  }
  void on_failed(const Error& error) override {
    change([&] { error_ = error; });
  }

  // Until it has begun.
  bool wait_for_text() {
    return wait([this] { return !text_.empty(); });
  }
  // Until it finished or failed. False where that never comes.
  bool wait_for_end() {
    return wait([this] { return finish_ || error_; });
  }
  std::string text() const { return locked(text_); }
  std::optional<FinishReason> finish() const { return locked(finish_); }
  std::optional<Error> error() const { return locked(error_); }
  int num_accepted() const { return locked(num_accepted_); }

 private:
  template <typename Change>
  void change(Change&& change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  template <typename Condition>
  bool wait(Condition&& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, condition);
  }
  template <typename T>
  T locked(const T& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  std::optional<FinishReason> finish_;
  std::optional<Error> error_;
  int num_accepted_ = 0;
};

// Waits until the condition holds; false where it never does.
inline bool eventually(const std::function<bool()>& condition) {
  for (const auto end = std::chrono::steady_clock::now() + kPatience;
       std::chrono::steady_clock::now() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return false;
}

// Whether this process has a child, dead or alive.
inline bool has_children() {
  siginfo_t info;
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// For tests: a host whose workers are real processes, of tests/support/supervisor_test_worker.cc.
class SupervisedModelHostTest : public testing::Test {
 protected:
  // Short times, so that what is waited for comes soon.
  static ModelHostOptions options(std::vector<std::string> arguments = {"serve"}) {
    ModelHostOptions options;
    options.program_version = "test";
    options.command.program = LLAMAGPU_TEST_WORKER;
    options.command.arguments = std::move(arguments);
    options.command.arguments.insert(options.command.arguments.begin(), "test_worker");
    options.policy.first_backoff = 1ms;
    options.policy.kill_grace = 200ms;
    options.policy.longest_backoff = options.policy.longest_crash_backoff = 50ms;
    return options;
  }
  static ModelSpec model(const std::string& path = "fake", const std::string& id = "m") {
    ModelSpec spec;
    spec.id = id;
    spec.options.model_path = path;
    return spec;
  }

  void start(std::vector<ModelSpec> models, const ModelHostOptions& with) {
    host_ = SupervisedModelHost::start(std::move(models), with).value();
  }
  void start_ready(const std::string& path = "fake") {
    start({model(path)}, options());
    ASSERT_TRUE(wait_until_ready());
  }
  bool wait_until_ready(const std::string& id = "m") {
    return eventually([&] { return host_->find_model(id)->is_ready; });
  }
  bool wait_for_state(WorkerState state) {
    return eventually([&] { return status().state == state; });
  }
  bool wait_for_exit(ExitKind kind) {
    return eventually([&] { return status().last_exit && status().last_exit->kind == kind; });
  }
  WorkerStatus status() const { return host_->workers().at(0); }

  std::shared_ptr<Heard> ask(const std::string& prompt, int64_t max_tokens = 16,
                             const std::string& model = "m") {
    auto heard = std::make_shared<Heard>();
    engine::GenerationRequest request;
    request.id = last_request_ = host_->next_request_id();
    request.prompt = engine::TextPrompt{prompt, true, true};
    request.max_tokens = max_tokens;
    host_->generate(model, std::move(request), heard);
    return heard;
  }
  std::vector<std::shared_ptr<Heard>> ask_many(int count, int64_t max_tokens) {
    std::vector<std::shared_ptr<Heard>> all;
    all.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) all.push_back(ask("stream", max_tokens));
    return all;
  }
  void expect_answers() {
    const auto heard = ask("are you there");
    ASSERT_TRUE(heard->wait_for_end());
    EXPECT_EQ(heard->finish(), FinishReason::kLength) << heard->error().value_or(Error{}).message;
    EXPECT_THAT(heard->text(), testing::StartsWith("t0 t1 t2 "));
    EXPECT_EQ(heard->num_accepted(), 1);
  }

  std::unique_ptr<SupervisedModelHost> host_;
  engine::RequestId last_request_ = 0;
};

}  // namespace llama_gpu::supervisor
