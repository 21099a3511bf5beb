// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace llama_gpu::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

SchedulerOptions small_pool(int32_t kv_blocks) {
  return {.kv_blocks = kv_blocks,
          .max_sequences = 4,
          .max_sequence_tokens = 64,
          .step_tokens = 64,
          .max_outputs = 8};
}

NewSequence prompt(SequenceId id, int32_t num_tokens) {
  return {.id = id, .group = id, .prompt_tokens = num_tokens, .first_output = num_tokens - 1};
}

// Computes a step and samples a token for each sequence that has logits. Returns who they were.
std::vector<SequenceId> run_step(Scheduler& scheduler) {
  const StepPlan plan = scheduler.next_step();
  scheduler.finish_step();
  std::vector<SequenceId> sampled;
  for (const PlannedRows& rows : plan.sequences) {
    if (rows.num_outputs == 0) continue;
    scheduler.append_token(rows.id);
    sampled.push_back(rows.id);
  }
  return sampled;
}

TEST(Scheduler, PlansAWholePromptAndThenOneRowForEachToken) {
  Scheduler scheduler(small_pool(8));
  scheduler.add(prompt(1, 20));

  const StepPlan first = scheduler.next_step();
  scheduler.finish_step();
  scheduler.append_token(1);
  const StepPlan second = scheduler.next_step();

  ASSERT_EQ(first.sequences.size(), 1U);
  EXPECT_EQ(first.sequences[0].num_rows, 20);
  EXPECT_EQ(first.sequences[0].num_outputs, 1);
  EXPECT_EQ(first.sequences[0].block_table.size(), 2U);
  ASSERT_EQ(second.sequences.size(), 1U);
  EXPECT_EQ(second.sequences[0].first_position, 20);
  EXPECT_EQ(second.sequences[0].num_rows, 1);
}

TEST(Scheduler, CutsAPromptIntoChunksThatShareTheBudgetWithDecodes) {
  SchedulerOptions options = small_pool(16);
  options.step_tokens = 10;
  Scheduler scheduler(options);
  scheduler.add(prompt(1, 4));
  run_step(scheduler);
  scheduler.add(prompt(2, 12));

  const StepPlan plan = scheduler.next_step();

  ASSERT_EQ(plan.sequences.size(), 2U);
  EXPECT_EQ(plan.sequences[0].num_rows, 1);
  EXPECT_EQ(plan.sequences[1].num_rows, 9);
  EXPECT_EQ(plan.sequences[1].num_outputs, 0);
}

TEST(Scheduler, CutsPromptsToTheRowsOfOneStepButAlwaysGivesThemSome) {
  SchedulerOptions options = small_pool(16);
  options.min_prompt_rows = 6;
  Scheduler scheduler(options);
  scheduler.add(prompt(1, 4));
  run_step(scheduler);
  scheduler.add(prompt(2, 40));

  const StepPlan cut = scheduler.next_step(10);
  scheduler.finish_step();
  scheduler.append_token(1);
  const StepPlan least = scheduler.next_step(1);

  ASSERT_EQ(cut.sequences.size(), 2U);
  EXPECT_EQ(cut.sequences[1].num_rows, 9);
  ASSERT_EQ(least.sequences.size(), 2U);
  EXPECT_EQ(least.sequences[1].num_rows, 6);
}

TEST(Scheduler, PreemptsTheNewestSequenceWhenTheKvPoolIsFull) {
  Scheduler scheduler(small_pool(4));
  scheduler.add(prompt(1, 31));
  run_step(scheduler);  // holds 2 blocks, the next token fills the second
  scheduler.add(prompt(2, 10));
  EXPECT_THAT(run_step(scheduler), ElementsAre(1, 2));
  while (scheduler.kv().num_free() > 0) run_step(scheduler);

  std::vector<SequenceId> sampled = {1, 2};
  while (sampled.size() == 2) sampled = run_step(scheduler);

  EXPECT_THAT(sampled, ElementsAre(1));
  EXPECT_EQ(scheduler.num_preemptions(), 1U);
  EXPECT_EQ(scheduler.num_waiting(), 1);
}

TEST(Scheduler, ComputesAPreemptedSequenceAgainFromItsStart) {
  SchedulerOptions options = small_pool(4);
  options.max_sequences = 2;
  Scheduler scheduler(options);
  scheduler.add(prompt(1, 16));
  scheduler.add(prompt(2, 16));
  while (scheduler.num_preemptions() == 0) run_step(scheduler);
  scheduler.remove(1);

  const StepPlan plan = scheduler.next_step();

  ASSERT_EQ(plan.sequences.size(), 1U);
  EXPECT_EQ(plan.sequences[0].id, 2);
  EXPECT_EQ(plan.sequences[0].first_position, 0);
  EXPECT_GT(plan.sequences[0].num_rows, 16);
  EXPECT_EQ(plan.sequences[0].num_outputs, 1);
}

TEST(Scheduler, ScoresEveryRowOfAPromptWithinTheOutputsOfAStep) {
  Scheduler scheduler(small_pool(8));
  scheduler.add({.id = 1, .group = 1, .prompt_tokens = 20, .first_output = 0});

  std::vector<int32_t> outputs;
  for (int step = 0; step < 3; ++step) {
    outputs.push_back(scheduler.next_step().num_outputs);
    scheduler.finish_step();
  }

  EXPECT_THAT(outputs, ElementsAre(8, 8, 4));
}

TEST(Scheduler, ForksShareTheFullBlocksOfTheirPromptAndComputeTheRest) {
  Scheduler scheduler(small_pool(16));
  for (SequenceId id = 1; id <= 3; ++id) {
    scheduler.add({.id = id, .group = 1, .prompt_tokens = 40, .first_output = 39});
  }

  const StepPlan plan = scheduler.next_step();

  ASSERT_EQ(plan.sequences.size(), 3U);
  EXPECT_EQ(plan.sequences[0].num_rows, 40);
  EXPECT_EQ(plan.sequences[1].first_position, 32);
  EXPECT_EQ(plan.sequences[1].num_rows, 8);
  EXPECT_EQ(plan.sequences[2].block_table[1], plan.sequences[0].block_table[1]);
  EXPECT_NE(plan.sequences[2].block_table[2], plan.sequences[0].block_table[2]);
  EXPECT_EQ(scheduler.kv().num_used(), 3 + 1 + 1);
}

TEST(Scheduler, ForksOutliveTheSequenceWhoseBlocksTheyShare) {
  Scheduler scheduler(small_pool(16));
  for (SequenceId id = 1; id <= 2; ++id) {
    scheduler.add({.id = id, .group = 1, .prompt_tokens = 33, .first_output = 32});
  }
  run_step(scheduler);

  scheduler.remove(1);
  EXPECT_EQ(scheduler.kv().num_used(), 3);
  EXPECT_THAT(run_step(scheduler), ElementsAre(2));
  scheduler.remove(2);
  EXPECT_EQ(scheduler.kv().num_used(), 0);
}

TEST(Scheduler, AForkOfAPromptInWholeBlocksStillComputesItsLastRow) {
  Scheduler scheduler(small_pool(16));
  for (SequenceId id = 1; id <= 2; ++id) {
    scheduler.add({.id = id, .group = 1, .prompt_tokens = 32, .first_output = 31});
  }

  const StepPlan plan = scheduler.next_step();

  ASSERT_EQ(plan.sequences.size(), 2U);
  EXPECT_EQ(plan.sequences[1].first_position, 16);
  EXPECT_EQ(plan.sequences[1].num_rows, 16);
}

TEST(Scheduler, AdmitsInOrderOfArrivalEvenWhereALaterPromptWouldFit) {
  Scheduler scheduler(small_pool(4));
  scheduler.add(prompt(1, 30));
  run_step(scheduler);
  scheduler.add(prompt(2, 60));
  scheduler.add(prompt(3, 1));

  EXPECT_THAT(run_step(scheduler), ElementsAre(1));
  scheduler.remove(1);
  EXPECT_THAT(run_step(scheduler), ElementsAre(2));
}

TEST(Scheduler, APlanIsEmptyOnlyWithoutSequences) {
  Scheduler scheduler(small_pool(4));

  EXPECT_THAT(scheduler.next_step().sequences, IsEmpty());
  scheduler.add(prompt(7, 64));
  EXPECT_EQ(scheduler.next_step().num_rows, 64);
}

// Random arrivals, lengths, forks and cancellations on a pool that is too small for them.
class SchedulerProperty : public ::testing::TestWithParam<uint32_t> {};

struct SimulatedSequence {
  int32_t prompt_tokens = 0;
  int32_t wanted = 0;  // tokens until it ends
  int32_t sampled = 0;
};

SchedulerOptions random_options(std::mt19937& random) {
  SchedulerOptions options;
  options.max_sequence_tokens = 16 + static_cast<int32_t>(random() % 100);
  options.kv_blocks = (options.max_sequence_tokens + 15) / 16 + static_cast<int32_t>(random() % 12);
  options.max_sequences = 1 + static_cast<int32_t>(random() % 8);
  options.step_tokens = 1 + static_cast<int32_t>(random() % 40);
  options.max_outputs = options.max_sequences + 1 + static_cast<int32_t>(random() % 8);
  return options;
}

// No block is read by a sequence that was not given it, none is written by two, and the budget is kept.
void check_plan(const StepPlan& plan, const SchedulerOptions& options) {
  EXPECT_LE(plan.num_rows, options.max_rows());
  EXPECT_LE(plan.num_outputs, options.max_outputs);
  EXPECT_LE(plan.sequences.size(), static_cast<size_t>(options.max_sequences));
  std::set<BlockId> written;
  for (const PlannedRows& rows : plan.sequences) {
    EXPECT_GE(rows.num_rows, 1);
    const int32_t last = rows.first_position + rows.num_rows - 1;
    ASSERT_LT(static_cast<size_t>(last / 16), rows.block_table.size());
    for (int32_t block = rows.first_position / 16; block <= last / 16; ++block) {
      EXPECT_TRUE(written.insert(rows.block_table[static_cast<size_t>(block)]).second)
          << "a block has two writers";
    }
  }
}

TEST_P(SchedulerProperty, KeepsTheBudgetLeaksNothingAndFinishesAll) {
  std::mt19937 random(GetParam());
  const SchedulerOptions options = random_options(random);
  Scheduler scheduler(options);
  std::map<SequenceId, SimulatedSequence> alive;
  SequenceId next_id = 1;
  int arrivals_left = 60;
  int steps_without_oldest = 0;

  while (arrivals_left > 0 || !alive.empty()) {
    if (arrivals_left > 0 && random() % 3 == 0) {
      const auto prompt_tokens =
          1 + static_cast<int32_t>(random() % static_cast<uint32_t>(options.max_sequence_tokens));
      const int32_t first_output = random() % 4 == 0 ? 0 : prompt_tokens - 1;
      const SequenceId group = next_id;
      for (uint32_t fork = 0; fork < 1 + random() % 3; ++fork) {
        scheduler.add({next_id, group, prompt_tokens, first_output});
        alive[next_id++] = {prompt_tokens, 1 + static_cast<int32_t>(random() % 40)};
      }
      --arrivals_left;
    }
    if (!alive.empty() && random() % 20 == 0) {
      const auto victim = std::next(alive.begin(), static_cast<std::ptrdiff_t>(random() % alive.size()));
      scheduler.remove(victim->first);
      alive.erase(victim);
    }
    if (alive.empty()) continue;
    const SequenceId oldest = alive.begin()->first;
    const StepPlan plan = scheduler.next_step();
    ASSERT_NO_FATAL_FAILURE(check_plan(plan, options));
    scheduler.finish_step();
    bool oldest_advanced = false;
    for (const PlannedRows& rows : plan.sequences) {
      oldest_advanced |= rows.id == oldest;
      SimulatedSequence& sequence = alive.at(rows.id);
      if (rows.first_position + rows.num_rows < sequence.prompt_tokens + sequence.sampled) continue;
      ++sequence.sampled;
      if (sequence.sampled == sequence.wanted ||
          sequence.prompt_tokens + sequence.sampled > options.max_sequence_tokens) {
        scheduler.remove(rows.id);
        alive.erase(rows.id);
      } else {
        scheduler.append_token(rows.id);
      }
    }
    steps_without_oldest = oldest_advanced ? 0 : steps_without_oldest + 1;
    ASSERT_EQ(steps_without_oldest, 0) << "the oldest sequence starves";
  }

  EXPECT_TRUE(scheduler.empty());
  EXPECT_EQ(scheduler.kv().num_used(), 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerProperty, ::testing::Range(0U, 200U));

}  // namespace
}  // namespace llama_gpu::engine
