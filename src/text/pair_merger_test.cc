// SPDX-License-Identifier: Apache-2.0
#include "text/pair_merger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace llama_gpu::text {
namespace {

using testing::ElementsAre;

std::vector<TokenId> merged(const MergeTable& merges, const std::vector<TokenId>& symbols) {
  PairMerger merger(merges);
  const auto span = merger.merge(symbols);
  return {span.begin(), span.end()};
}

// What PairMerger must do, as it is defined: look for the best pair, join it, begin again.
std::vector<TokenId> merged_by_definition(const MergeTable& merges, std::vector<TokenId> symbols) {
  while (true) {
    std::optional<Merge> best;
    size_t place = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto merge = merges.find(symbols[i], symbols[i + 1]);
      if (merge && (!best || merge->rank < best->rank)) best = merge, place = i;
    }
    if (!best) return symbols;
    symbols[place] = best->result;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

TEST(MergeTable, FindsWhatWasInsertedAndKeepsTheFirstOfAPair) {
  MergeTable table(1000);
  for (int32_t i = 0; i < 1000; ++i) table.insert(i, 1000 - i, {i, 2 * i});

  table.insert(5, 995, {7, 7});

  for (int32_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(table.find(i, 1000 - i).has_value());
    EXPECT_EQ(table.find(i, 1000 - i)->result, 2 * i);
  }
  EXPECT_FALSE(table.find(3, 3).has_value());
}

TEST(PairMerger, JoinsTheBestPairFirstAndTheLeftmostOfEquals) {
  MergeTable merges(3);
  merges.insert(1, 1, {0, 2});
  merges.insert(0, 1, {1, 3});

  EXPECT_THAT(merged(merges, {0, 1, 1, 1}), ElementsAre(0, 2, 1));
  EXPECT_THAT(merged(merges, {0, 1, 0}), ElementsAre(3, 0));
  EXPECT_THAT(merged(merges, {1}), ElementsAre(1));
  EXPECT_THAT(merged(merges, {}), ElementsAre());
}

TEST(PairMerger, DoesWhatTheDefinitionSaysOnRandomTablesAndRows) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    // Results are new symbols, as in BPE; ranks in any order, also equal ones, as in SentencePiece.
    const int num_merges = static_cast<int>(random() % 40);
    MergeTable merges(static_cast<size_t>(num_merges));
    for (int i = 0; i < num_merges; ++i) {
      const auto part = [&] { return static_cast<TokenId>(random() % static_cast<uint32_t>(4 + i)); };
      const TokenId left = part(), right = part();
      merges.insert(left, right, {static_cast<int32_t>(random() % 20), 4 + i});
    }
    std::vector<TokenId> symbols(random() % 60);
    for (TokenId& symbol : symbols) symbol = static_cast<TokenId>(random() % 4);

    EXPECT_EQ(merged(merges, symbols), merged_by_definition(merges, symbols)) << "round " << round;
  }
}

}  // namespace
}  // namespace llama_gpu::text
