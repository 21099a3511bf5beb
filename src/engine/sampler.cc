// SPDX-License-Identifier: Apache-2.0
#include "engine/sampler.h"

#include <algorithm>
#include <limits>

#include "engine/logits.h"

namespace llama_gpu::engine {
namespace {

// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input changes half of the
// output's.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}
constexpr uint64_t kGoldenGamma = 0x9E3779B97F4A7C15ULL;

bool changes_logits(const SamplingInput& input) {
  const SamplingParams& params = input.params;
  return !params.logit_bias.empty() || params.repetition_penalty != 1.0F || params.presence_penalty != 0.0F ||
         params.frequency_penalty != 0.0F || input.mask != nullptr || input.hook != nullptr;
}

}  // namespace

double uniform_at(uint64_t seed, uint64_t position) {
  const uint64_t bits = mix(mix(seed + kGoldenGamma) ^ mix(position * kGoldenGamma + 1));
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

uint64_t choice_seed(uint64_t request_seed, int32_t choice) {
  return choice == 0 ? request_seed : mix(request_seed + static_cast<uint64_t>(choice) * kGoldenGamma);
}

Sampler::Sampler(int32_t vocab_size)
    : adjusted_(static_cast<size_t>(vocab_size)),
      weights_(static_cast<size_t>(vocab_size)),
      counts_(static_cast<size_t>(vocab_size)) {
  candidates_.reserve(2 * static_cast<size_t>(vocab_size));
}

Result<TokenId> Sampler::choose(std::span<const float> logits, const SamplingInput& input) {
  if (!all_finite(logits)) {
    return Error{ErrorCode::kNumericError, "the model produced numbers that are not finite",
                 "try another prompt; if it happens again the model file is damaged"};
  }
  if (changes_logits(input)) {
    TRY(logits, adjust(logits, input));
  }
  const LargestLogit largest = find_largest(logits);
  if (largest.value == -std::numeric_limits<float>::infinity()) {
    return Error{ErrorCode::kNoValidToken, "no token may be chosen: all are excluded",
                 "loosen the biases or the grammar of the request"};
  }
  const TokenId token = input.params.temperature == 0 ? largest.token : draw(logits, largest.value, input);
  if (input.mask != nullptr) input.mask->accept(token);
  return token;
}

Result<std::span<const float>> Sampler::adjust(std::span<const float> logits, const SamplingInput& input) {
  std::ranges::copy(logits, adjusted_.begin());
  for (const auto& [token, bias] : input.params.logit_bias) adjusted_[static_cast<size_t>(token)] += bias;
  penalise(input);
  if (input.hook != nullptr) {
    TRY_STATUS(input.hook->process({input.tokens, input.num_prompt_tokens}, adjusted_));
    if (std::ranges::any_of(adjusted_, [](float logit) { return logit != logit; })) {
      return Error{ErrorCode::kNumericError, "a sampler hook made a logit that is not a number"};
    }
  }
  if (input.mask != nullptr) input.mask->apply(adjusted_);
  return std::span<const float>(adjusted_);
}

void Sampler::penalise(const SamplingInput& input) {
  const SamplingParams& params = input.params;
  const auto answer = input.tokens.subspan(input.num_prompt_tokens);
  if (params.repetition_penalty != 1.0F) {
    // Keskar et al. 2019 (arXiv:1909.05858): once for each token that occurs.
    for (const TokenId token : input.tokens) {
      if (counts_[static_cast<size_t>(token)]++ > 0) continue;
      float& logit = adjusted_[static_cast<size_t>(token)];
      logit = logit > 0 ? logit / params.repetition_penalty : logit * params.repetition_penalty;
    }
    for (const TokenId token : input.tokens) counts_[static_cast<size_t>(token)] = 0;
  }
  if (params.presence_penalty == 0.0F && params.frequency_penalty == 0.0F) return;
  for (const TokenId token : answer) ++counts_[static_cast<size_t>(token)];
  for (const TokenId token : answer) {
    int32_t& count = counts_[static_cast<size_t>(token)];
    if (count == 0) continue;
    adjusted_[static_cast<size_t>(token)] -=
        params.presence_penalty + static_cast<float>(count) * params.frequency_penalty;
    count = 0;
  }
}

TokenId Sampler::draw(std::span<const float> logits, float largest, const SamplingInput& input) {
  double total = softmax_weights(logits, largest, input.params.temperature, weights_);
  total = keep_candidates(total, input.params);
  const double target = uniform_at(input.seed, input.tokens.size()) * total;
  double sum = 0;
  TokenId last = 0;
  const auto passes = [&](TokenId token) {
    const float weight = weights_[static_cast<size_t>(token)];
    if (weight > 0) last = token;
    sum += static_cast<double>(weight);
    return sum > target;
  };
  if (candidates_.empty()) {
    for (TokenId token = 0; token < static_cast<TokenId>(weights_.size()); ++token) {
      if (passes(token)) return token;
    }
    return last;  // rounding left the sum a little below the total
  }
  for (const TokenId token : candidates_) {
    if (passes(token)) return token;
  }
  return last;
}

// Fills candidates_ where a filter is set, else leaves it empty, which means every token. Returns the sum of
// the weights kept. The largest weight is 1.
double Sampler::keep_candidates(double total, const SamplingParams& params) {
  candidates_.clear();
  const bool has_top_k = params.top_k > 0 && static_cast<size_t>(params.top_k) < weights_.size();
  const auto sum_candidates = [&] {
    double sum = 0;
    for (const TokenId token : candidates_) sum += static_cast<double>(weights_[static_cast<size_t>(token)]);
    return sum;
  };
  if (!has_top_k && params.top_p >= 1 && params.min_p <= 0) return total;
  if (has_top_k) {
    select_largest(weights_, static_cast<size_t>(params.top_k), candidates_);
    total = sum_candidates();
  }
  if (params.top_p < 1) keep_top_p(total, params.top_p);
  if (params.min_p > 0) {
    if (candidates_.empty()) {
      for (size_t i = 0; i < weights_.size(); ++i) {
        if (weights_[i] >= params.min_p) candidates_.push_back(static_cast<TokenId>(i));
      }
    } else {
      std::erase_if(candidates_,
                    [&](TokenId token) { return weights_[static_cast<size_t>(token)] < params.min_p; });
    }
  }
  return sum_candidates();
}

// Keeps the fewest most likely tokens whose share of `total` reaches top_p, at least one.
void Sampler::keep_top_p(double total, float top_p) {
  const double wanted = static_cast<double>(top_p) * total;
  const auto reach = [&] {
    double sum = 0;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      sum += static_cast<double>(weights_[static_cast<size_t>(candidates_[i])]);
      if (sum >= wanted) {
        candidates_.resize(i + 1);
        return true;
      }
    }
    return false;
  };
  if (!candidates_.empty()) {
    reach();
    return;
  }
  // Most shares are made up by a few tokens: sorting the whole vocabulary is the last resort.
  for (size_t count = 64;; count *= 16) {
    select_largest(weights_, count, candidates_);
    if (reach() || count >= weights_.size()) return;
  }
}

}  // namespace llama_gpu::engine
