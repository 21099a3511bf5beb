// SPDX-License-Identifier: Apache-2.0
#include "app/bench.h"

#include <algorithm>
#include <random>

namespace llama_gpu::app {

double BenchFigure::median() const {
  std::vector<double> sorted = samples;
  std::ranges::sort(sorted);
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double BenchFigure::min() const { return std::ranges::min(samples); }
double BenchFigure::max() const { return std::ranges::max(samples); }

std::vector<TokenId> random_prompt(int64_t count, int64_t vocab_size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<TokenId> token(0, TokenId(vocab_size - 1));
  std::vector<TokenId> prompt(static_cast<size_t>(count));
  for (TokenId& each : prompt) each = token(random);
  return prompt;
}

}  // namespace llama_gpu::app
