// SPDX-License-Identifier: Apache-2.0
#include "engine/logits.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace llama_gpu::engine {
namespace {

// Independent partial results, so that loops over them become vector code.
constexpr size_t kLanes = 16;

float largest_value(std::span<const float> logits) {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<float>::infinity());
  const size_t whole = logits.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = lanes[lane] < logits[i + lane] ? logits[i + lane] : lanes[lane];
    }
  }
  float largest = *std::max_element(lanes, lanes + kLanes);
  for (size_t i = whole; i < logits.size(); ++i) largest = std::max(largest, logits[i]);
  return largest;
}

// Sums in lanes of float over short runs, and the runs in double.
double sum_of(std::span<const float> values) {
  constexpr size_t kRun = 16 * kLanes;
  double total = 0;
  for (size_t start = 0; start < values.size(); start += kRun) {
    const auto run = values.subspan(start, std::min(kRun, values.size() - start));
    float lanes[kLanes] = {};
    const size_t whole = run.size() / kLanes * kLanes;
    for (size_t i = 0; i < whole; i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += run[i + lane];
    }
    for (const float lane : lanes) total += static_cast<double>(lane);
    for (size_t i = whole; i < run.size(); ++i) total += static_cast<double>(run[i]);
  }
  return total;
}

}  // namespace

LargestLogit find_largest(std::span<const float> logits) {
  const float largest = largest_value(logits);
  const auto first = std::ranges::find(logits, largest);
  return {static_cast<TokenId>(first - logits.begin()), largest};
}

bool all_finite(std::span<const float> logits) {
  // Exponent bits are all set for infinite and NaN only.
  constexpr uint32_t kExponent = 0x7F800000;
  uint32_t found = 0;
  for (const float logit : logits)
    found |= (std::bit_cast<uint32_t>(logit) & kExponent) == kExponent ? 1U : 0U;
  return found == 0;
}

float exp_nonpositive(float x) {
  // x = n ln2 + r, |r| <= ln2 / 2; ln2 in two parts, the first exact in n times it; e^r by its series.
  const float clamped = x < -87.0F ? -87.0F : x;
  const auto n = static_cast<int32_t>(clamped * 1.44269504F - 0.5F);
  const auto whole = static_cast<float>(n);
  const float r = (clamped - whole * 0.693359375F) + whole * 2.12194440e-4F;
  float series = 1.0F / 5040.0F;
  series = series * r + 1.0F / 720.0F;
  series = series * r + 1.0F / 120.0F;
  series = series * r + 1.0F / 24.0F;
  series = series * r + 1.0F / 6.0F;
  series = series * r + 0.5F;
  series = series * r + 1.0F;
  series = series * r + 1.0F;
  const float power = std::bit_cast<float>((n + 127) << 23);
  return x < -87.0F ? 0.0F : series * power;
}

double softmax_weights(std::span<const float> logits, float largest, float temperature,
                       std::span<float> weights) {
  for (size_t i = 0; i < logits.size(); ++i)
    weights[i] = exp_nonpositive((logits[i] - largest) / temperature);
  return sum_of(weights);
}

double log_sum_exp(std::span<const float> logits, float largest) {
  constexpr size_t kRun = 256;
  float weights[kRun];
  double total = 0;
  for (size_t start = 0; start < logits.size(); start += kRun) {
    const auto run = logits.subspan(start, std::min(kRun, logits.size() - start));
    total += softmax_weights(run, largest, 1.0F, std::span(weights).first(run.size()));
  }
  return static_cast<double>(largest) + std::log(total);
}

void select_largest(std::span<const float> values, size_t count, std::vector<TokenId>& tokens) {
  const auto before = [&](TokenId a, TokenId b) {
    const float value_a = values[static_cast<size_t>(a)];
    const float value_b = values[static_cast<size_t>(b)];
    return value_a != value_b ? value_a > value_b : a < b;
  };
  tokens.clear();
  if (count == 0) return;
  // Twice as many as wanted are collected, then cut to the best: later tokens must beat the worst of those
  // kept.
  float bar = -std::numeric_limits<float>::infinity();
  bool has_bar = false;
  const auto cut = [&] {
    std::nth_element(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(count) - 1, tokens.end(),
                     before);
    tokens.resize(count);
    bar = values[static_cast<size_t>(tokens.back())];
    has_bar = true;
  };
  for (size_t i = 0; i < values.size(); ++i) {
    if (has_bar && values[i] <= bar) continue;
    tokens.push_back(static_cast<TokenId>(i));
    if (tokens.size() >= 2 * count) cut();
  }
  if (tokens.size() > count) cut();
  std::ranges::sort(tokens, before);
}

}  // namespace llama_gpu::engine
