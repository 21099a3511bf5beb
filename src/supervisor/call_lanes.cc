// SPDX-License-Identifier: Apache-2.0
#include "supervisor/call_lanes.h"

#include <limits>
#include <variant>

namespace llama_gpu::supervisor {
namespace {

// Calls of each lane that the worker may hold unanswered: of long texts one that it reads and one that it
// finds when it has done so.
constexpr std::array<size_t, 3> kWindows = {std::numeric_limits<size_t>::max(), 2, 2};

constexpr size_t kLongPromptBytes = size_t{64} << 10;

size_t size_bytes(const engine::Prompt& prompt) {
  if (const auto* text = std::get_if<engine::TextPrompt>(&prompt)) return text->text.size();
  if (const auto* tokens = std::get_if<std::vector<TokenId>>(&prompt))
    return tokens->size() * sizeof(TokenId);
  size_t size_bytes = 0;
  for (const text::ChatMessage& message : std::get<engine::ChatPrompt>(prompt).messages)
    size_bytes += message.role.size() + message.content.size();
  return size_bytes;
}

}  // namespace

CallLane lane_of(const CallBody& call) {
  if (const auto* decoded = std::get_if<DetokenizeCall>(&call)) {
    const bool is_short = decoded->tokens.size() * sizeof(TokenId) < kLongPromptBytes;
    return is_short ? CallLane::kPrompts : CallLane::kTexts;
  }
  const bool is_text =
      std::holds_alternative<TokenizeCall>(call) || std::holds_alternative<ApplyTemplateCall>(call);
  if (is_text) return CallLane::kTexts;
  const auto* submit = std::get_if<SubmitCall>(&call);
  const bool is_long = submit != nullptr && size_bytes(submit->request.prompt) >= kLongPromptBytes;
  return is_long ? CallLane::kLongPrompts : CallLane::kPrompts;
}

std::optional<uint64_t> CallLanes::next() const {
  for (size_t lane = 0; lane < kNumLanes; ++lane) {
    if (!waiting_[lane].empty() && num_sent_[lane] < kWindows[lane]) return *waiting_[lane].begin();
  }
  return std::nullopt;
}

void CallLanes::mark_sent(uint64_t id) {
  for (size_t lane = 0; lane < kNumLanes; ++lane) {
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
