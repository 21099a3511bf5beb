// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tensor/token_id.h"

namespace llama_gpu::text {

// What two neighbours become, and how early: a lower rank goes first.
struct Merge {
  int32_t rank = 0;
  TokenId result = 0;
};

// Two neighbours as one key, the left one first.
constexpr uint64_t pair_of(TokenId left, TokenId right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// Merges by the pair that they join: a hash table in one array. Immutable once built.
class MergeTable {
 public:
  // Room for `num_merges` merges.
  explicit MergeTable(size_t num_merges);

  // Keeps the first merge of a pair. REQUIRES: ids are not negative; room is left.
  void insert(TokenId left, TokenId right, Merge merge);
  std::optional<Merge> find(TokenId left, TokenId right) const;

 private:
  struct Slot {
    uint64_t pair;
    Merge merge;
  };
  // The slot that holds the pair, or the free one where it would go.
  size_t slot_of(uint64_t pair) const;

  std::vector<Slot> slots_;
  int shift_;
};

// Applies merges to a row of symbols until none is possible: always the one of lowest rank, among equals the
// leftmost. O(n log n). One thread; keeps its memory between rows.
class PairMerger {
 public:
  // `merges` outlives it.
  explicit PairMerger(const MergeTable& merges) : merges_(merges) {}

  // What is left of `symbols`, valid until the next call.
  std::span<const TokenId> merge(std::span<const TokenId> symbols);

 private:
  struct Node {
    TokenId symbol;  // kGone once its left neighbour took it in
    uint32_t previous, next;
  };

  // Queues the pair of `left` and its right neighbour, where the table has it.
  void push_pair(uint32_t left);
  // Joins the best pair of the queue, unless an earlier merge destroyed it.
  void apply_best();

  const MergeTable& merges_;
  std::vector<Node> nodes_;
  std::vector<uint64_t> queue_;  // a heap of rank << 32 | left node
  std::vector<TokenId> merged_;
};

}  // namespace llama_gpu::text
