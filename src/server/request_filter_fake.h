// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "server/request_filter.h"

namespace llama_gpu::server {

// Answers with what the test says, at once, or when release_held() is called. One thread.
class FakeRequestFilter : public RequestFilter {
 public:
  bool is_active() const override { return is_active_; }
  bool must_see_all() const override { return must_see_all_; }
  void filter(FilterRequest request, std::function<void(Result<FilterText>)> done) override {
    requests_.push_back(request);
    auto call = [answer = answer_, request = std::move(request), done = std::move(done)] {
      done(answer(request));
    };
    is_held_ ? held_.push_back(std::move(call)) : call();
  }

  void set_active(bool is_active) { is_active_ = is_active; }
  void set_must_see_all(bool must_see_all) { must_see_all_ = must_see_all; }
  // What filter() answers; without it each text as it is.
  void set_answer(std::function<Result<FilterText>(const FilterRequest&)> answer) {
    answer_ = std::move(answer);
  }
  void hold_calls() { is_held_ = true; }
  // Answers what was held.
  void release_held() {
    for (const auto& call : std::exchange(held_, {})) call();
  }
  const std::vector<FilterRequest>& requests() const { return requests_; }

 private:
  bool is_active_ = true;
  bool must_see_all_ = false;
  bool is_held_ = false;
  std::function<Result<FilterText>(const FilterRequest&)> answer_ = [](const FilterRequest& request) {
    return Result<FilterText>(request.text);
  };
  std::vector<FilterRequest> requests_;
  std::vector<std::function<void()>> held_;
};

}  // namespace llama_gpu::server
