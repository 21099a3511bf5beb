// SPDX-License-Identifier: Apache-2.0
//
// A step allocates nothing: planning, computing and sampling are counted with an operator new of this
// program.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "engine/load_engine.h"
#include "engine/sampler.h"
#include "golden/engine_runs.h"
#include "support/scratch_file.h"
#include "support/tiny_model.h"

namespace {

std::atomic<bool> counting = false;
std::atomic<int> allocations = 0;

void* count_and_allocate(size_t size) {
  if (counting) ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return count_and_allocate(size); }
void* operator new[](size_t size) { return count_and_allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace llama_gpu::engine {
namespace {

constexpr int32_t kPromptTokens = 30;

std::vector<std::vector<TokenId>> three_prompts() {
  std::vector<std::vector<TokenId>> sequences(3);
  for (size_t i = 0; i < sequences.size(); ++i) {
    sequences[i].reserve(256);
    for (int32_t t = 0; t < kPromptTokens; ++t)
      sequences[i].push_back(3 + (t * 31 + static_cast<int32_t>(i)) % 250);
  }
  return sequences;
}

TEST(StepAllocation, PlanningComputingAndSamplingAllocateNothing) {
  const test_support::ScratchFile file(".gguf");
  ASSERT_TRUE(test_support::write_tiny_llama(file.path()).ok());
  EngineOptions options;
  options.model_path = file.path();
  options.num_threads = 2;
  LoadedEngine loaded = load_engine(golden::all_backends(), options).value();
  Scheduler scheduler({.kv_blocks = 64, .max_sequence_tokens = 512, .step_tokens = 16});
  Sampler sampler(loaded.info.vocab_size);
  const SamplingParams params = {.top_k = 20, .top_p = 0.9F, .min_p = 0.01F, .frequency_penalty = 0.5F};
  std::vector<std::vector<TokenId>> sequences = three_prompts();
  for (SequenceId id = 0; id < 3; ++id) {
    scheduler.add({.id = id, .group = id, .prompt_tokens = kPromptTokens, .first_output = kPromptTokens - 1});
  }
  std::vector<std::span<const TokenId>> tokens;
  tokens.reserve(sequences.size());

  allocations = 0;
  counting = true;
  int sampled = 0;
  for (int step = 0; step < 60; ++step) {
    const StepPlan& plan = scheduler.next_step();
    tokens.clear();
    for (const PlannedRows& rows : plan.sequences) tokens.push_back(sequences[static_cast<size_t>(rows.id)]);
    const auto logits = loaded.executor->run(plan, tokens);
    scheduler.finish_step();
    int64_t row = 0;
    for (const PlannedRows& rows : plan.sequences) {
      if (rows.num_outputs == 0) continue;
      auto& sequence = sequences[static_cast<size_t>(rows.id)];
      const SamplingInput input = {
          .params = params, .seed = 1, .tokens = sequence, .num_prompt_tokens = kPromptTokens};
      sequence.push_back(*sampler.choose(logits->row(row++), input));
      scheduler.append_token(rows.id);
      ++sampled;
    }
  }
  counting = false;

  EXPECT_GT(sampled, 100);
  EXPECT_EQ(allocations, 0);
}

}  // namespace
}  // namespace llama_gpu::engine
