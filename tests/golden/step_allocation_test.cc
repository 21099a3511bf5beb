// SPDX-License-Identifier: Apache-2.0
//
// Planning, computing and sampling allocate nothing, and what a step has to tell survives a lack of memory:
// with an operator new of this program, which counts and can fail.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "engine/engine_fixture.h"
#include "engine/load_engine.h"
#include "engine/sampler.h"
#include "golden/engine_runs.h"
#include "support/scratch_file.h"
#include "support/tiny_model.h"

namespace {

std::atomic<bool> counting = false;
std::atomic<int> allocations = 0;
std::atomic<int> failing_allocation = 0;  // counted from 1; 0: none

void* count_and_allocate(size_t size) {
  if (counting && ++allocations == failing_allocation) throw std::bad_alloc();
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

// Fails the Nth allocation from its construction on, while it is armed.
class FailingAllocation {
 public:
  explicit FailingAllocation(int number) {
    allocations = 0;
    failing_allocation = number;
  }
  ~FailingAllocation() {
    counting = false;
    failing_allocation = 0;
  }
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  template <typename Work>
  void during(const Work& work) {
    counting = true;
    work();
    counting = false;
  }
  bool has_failed() const { return allocations >= failing_allocation; }
};

// Three requests with all that makes an update large.
class FailingAllocationTest : public EngineTest {
 protected:
  GenerationRequest request(RequestId id) const {
    GenerationRequest request = greedy(id, prompt(static_cast<int>(id % 3), 20), 5);
    request.top_logprobs = 2;
    request.prompt_logprobs = true;
    request.stop = {"a text that never comes"};
    return request;
  }
  // On the backend whose steps allocate nothing themselves.
  SteppedGenerator load() const {
    EngineOptions on_cpu = options();
    on_cpu.backend = "cpu";
    on_cpu.num_threads = 2;
    return SteppedGenerator(load_engine(golden::all_backends(), on_cpu).value());
  }

  std::vector<std::vector<TokenId>> undisturbed() {
    SteppedGenerator generator = load();
    for (RequestId id = 0; id < 3; ++id) generator.add(request(id));
    generator.run();
    std::vector<std::vector<TokenId>> tokens;
    for (RequestId id = 0; id < 3; ++id) tokens.push_back(generator.answer(id).tokens);
    return tokens;
  }

  // How many of the three failed; the others are as they must be.
  int count_failed(SteppedGenerator& generator, RequestId first) {
    int num_failed = 0;
    for (RequestId id = first; id < first + 3; ++id) {
      const test_support::Answer answer = generator.answer(id);
      EXPECT_EQ(answer.num_updates_after_finish, 0);
      if (answer.finish == FinishReason::kError) {
        EXPECT_EQ(answer.error->code, ErrorCode::kOutOfMemory);
        ++num_failed;
      } else {
        EXPECT_EQ(answer.tokens, expected_[id % 3]);
      }
    }
    return num_failed;
  }

  std::vector<std::vector<TokenId>> expected_ = undisturbed();
};

TEST_F(FailingAllocationTest, EndsOneRequestOfAStepAndNoOther) {
  SteppedGenerator generator = load();
  int num_failures = 0;
  bool has_failed = true;
  for (int number = 1; has_failed; ++number) {
    const auto first = static_cast<RequestId>(3 * number);
    FailingAllocation failing(number);
    for (RequestId id = first; id < first + 3; ++id) generator.add(request(id));
    while (generator.generator().has_work()) {
      failing.during([&] { generator.generator().step(); });
      generator.hear();
    }
    has_failed = failing.has_failed();

    const int num_failed = count_failed(generator, first);
    EXPECT_LE(num_failed, 1) << "allocation " << number;
    num_failures += num_failed;
    EXPECT_EQ(generator.generator().stats().kv_blocks_used, 0);
  }
  EXPECT_GT(num_failures, 50);
}

TEST_F(FailingAllocationTest, RefusesOneRequestAndDisturbsNoOther) {
  SteppedGenerator generator = load();
  int num_failures = 0;
  bool has_failed = true;
  for (int number = 1; has_failed; ++number) {
    const auto first = static_cast<RequestId>(3 * number);
    FailingAllocation failing(number);
    generator.add(request(first));
    generator.step();
    auto accepted = accept_request(request(first + 1), {*generator.loaded().encoder, 512, 99, {}}).value();
    failing.during([&] { generator.generator().add(std::move(accepted)); });
    has_failed = failing.has_failed();
    generator.hear();
    generator.add(request(first + 2));
    generator.run();

    const int num_failed = count_failed(generator, first);
    EXPECT_LE(num_failed, 1) << "allocation " << number;
    num_failures += num_failed;
    EXPECT_EQ(generator.generator().stats().kv_blocks_used, 0);
  }
  EXPECT_GT(num_failures, 3);
}

}  // namespace
}  // namespace llama_gpu::engine
