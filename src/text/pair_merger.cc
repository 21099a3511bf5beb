// SPDX-License-Identifier: Apache-2.0
//
// The symbols stand in a doubly linked list, so that a merge touches three nodes:
//
//   h <-> e <-> l <-> l <-> o      (l, l) is best
//   h <-> e <-> ll <-> o           now (e, ll) and (ll, o) may be pairs too
//
// A heap holds each possible pair by rank, then place. Pairs that a merge destroyed stay in the heap and are
// told apart when they come up: their place no longer holds a pair of that rank. A merge adds at most two
// pairs and there are fewer than n merges, so the heap sees at most 3n entries.
#include "text/pair_merger.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/check.h"

namespace llama_gpu::text {
namespace {

constexpr uint64_t kFree = UINT64_MAX;
constexpr TokenId kGone = -1;
constexpr uint32_t kNone = UINT32_MAX;

}  // namespace

MergeTable::MergeTable(size_t num_merges) {
  const size_t num_slots = std::bit_ceil(2 * num_merges + 2);  // at most half full: probes stay short
  slots_.assign(num_slots, Slot{kFree, {}});
  shift_ = 64 - std::countr_zero(num_slots);
}

size_t MergeTable::slot_of(uint64_t pair) const {
  const uint64_t mixed = (pair ^ pair >> 29) * 0x9E3779B97F4A7C15u;  // Fibonacci hashing: high bits mix best
  size_t slot = mixed >> shift_;
  while (slots_[slot].pair != kFree && slots_[slot].pair != pair) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

void MergeTable::insert(TokenId left, TokenId right, Merge merge) {
  const uint64_t pair = pair_of(left, right);
  Slot& slot = slots_[slot_of(pair)];
  if (slot.pair == kFree) slot = {pair, merge};
}

std::optional<Merge> MergeTable::find(TokenId left, TokenId right) const {
  const Slot& slot = slots_[slot_of(pair_of(left, right))];
  if (slot.pair == kFree) return std::nullopt;
  return slot.merge;
}

std::span<const TokenId> PairMerger::merge(std::span<const TokenId> symbols) {
  if (symbols.size() < 2) return symbols;
  CHECK(symbols.size() < kNone, "a word of 4 GiB");
  nodes_.clear();
  queue_.clear();
  merged_.clear();
  const uint32_t num_symbols = static_cast<uint32_t>(symbols.size());
  for (uint32_t i = 0; i < num_symbols; ++i) {
    nodes_.push_back({symbols[i], i == 0 ? kNone : i - 1, i + 1 == num_symbols ? kNone : i + 1});
  }
  for (uint32_t i = 0; i + 1 < num_symbols; ++i) push_pair(i);
  while (!queue_.empty()) apply_best();
  for (uint32_t i = 0; i != kNone; i = nodes_[i].next) merged_.push_back(nodes_[i].symbol);
  return merged_;
}

void PairMerger::push_pair(uint32_t left) {
  const uint32_t right = nodes_[left].next;
  if (right == kNone) return;
  const auto merge = merges_.find(nodes_[left].symbol, nodes_[right].symbol);
  if (!merge) return;
  queue_.push_back(uint64_t{static_cast<uint32_t>(merge->rank)} << 32 | left);
  std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
}

void PairMerger::apply_best() {
  const uint64_t best = queue_.front();
  std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
  queue_.pop_back();

  Node& left = nodes_[static_cast<uint32_t>(best)];
  if (left.symbol == kGone || left.next == kNone) return;
  Node& right = nodes_[left.next];
  const auto merge = merges_.find(left.symbol, right.symbol);
  if (!merge || static_cast<uint64_t>(merge->rank) != best >> 32) return;

  left.symbol = merge->result;
  right.symbol = kGone;
  left.next = right.next;
  const uint32_t at = static_cast<uint32_t>(best);
  if (left.next != kNone) nodes_[left.next].previous = at;
  if (left.previous != kNone) push_pair(left.previous);
  push_pair(at);
}

}  // namespace llama_gpu::text
