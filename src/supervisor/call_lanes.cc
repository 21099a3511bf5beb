// SPDX-License-Identifier: Apache-2.0
#include "supervisor/call_lanes.h"

#include <array>
#include <limits>
#include <variant>
#include <vector>

namespace llama_gpu::supervisor {
namespace {

// Calls of each lane that the worker may hold unanswered: of texts and long prompts one that it reads and one
// that it finds when it has done so.
constexpr std::array<size_t, kNumCallLanes> kWindows = {std::numeric_limits<size_t>::max(), 2, 2, 2};

constexpr size_t kLongBytes = size_t{64} << 10;

size_t size_bytes(const std::vector<TokenId>& tokens) { return tokens.size() * sizeof(TokenId); }
size_t size_bytes(const engine::TextPrompt& prompt) { return prompt.text.size(); }
size_t size_bytes(const engine::ChatPrompt& prompt) {
  size_t size_bytes = 0;
  for (const text::ChatMessage& message : prompt.messages)
    size_bytes += message.role.size() + message.content.size();
  return size_bytes;
}

template <typename T>
CallLane lane_of_text(const T& text) {
  return size_bytes(text) >= kLongBytes ? CallLane::kLongTexts : CallLane::kTexts;
}

CallLane lane_of_prompt(const engine::Prompt& prompt) {
  const size_t size = std::visit([](const auto& held) { return size_bytes(held); }, prompt);
  return size >= kLongBytes ? CallLane::kLongPrompts : CallLane::kPrompts;
}

}  // namespace

CallLane lane_of(const CallBody& call) {
  if (const auto* submit = std::get_if<SubmitCall>(&call)) return lane_of_prompt(submit->request.prompt);
  if (const auto* read = std::get_if<TokenizeCall>(&call)) return lane_of_text(read->prompt);
  if (const auto* decoded = std::get_if<DetokenizeCall>(&call)) return lane_of_text(decoded->tokens);
  if (const auto* rendered = std::get_if<ApplyTemplateCall>(&call)) return lane_of_text(rendered->prompt);
  return CallLane::kPrompts;
}

std::optional<uint64_t> CallLanes::next() const {
  for (size_t lane = 0; lane < kNumCallLanes; ++lane) {
    if (!waiting_[lane].empty() && num_sent_[lane] < kWindows[lane]) return *waiting_[lane].begin();
  }
  return std::nullopt;
}

void CallLanes::mark_sent(uint64_t id) {
  for (size_t lane = 0; lane < kNumCallLanes; ++lane) {
    if (waiting_[lane].erase(id) == 0) continue;
    sent_[id] = static_cast<CallLane>(lane);
    ++num_sent_[lane];
  }
}

bool CallLanes::mark_answered(uint64_t id) {
  const auto sent = sent_.find(id);
  if (sent == sent_.end()) return false;
  --num_sent_[index(sent->second)];
  sent_.erase(sent);
  return true;
}

void CallLanes::take_back(uint64_t id) {
  for (std::set<uint64_t>& waiting : waiting_) waiting.erase(id);
}

void CallLanes::forget_sent() {
  sent_.clear();
  num_sent_.fill(0);
}

}  // namespace llama_gpu::supervisor
