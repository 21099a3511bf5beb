// SPDX-License-Identifier: Apache-2.0
#include "engine/step_pacer.h"

#include <gtest/gtest.h>

namespace llama_gpu::engine {
namespace {

using namespace std::chrono_literals;

// A machine: what a step costs at least, and what each row adds.
struct Machine {
  std::chrono::microseconds step;
  std::chrono::microseconds row;
  std::chrono::nanoseconds time_of(int32_t rows) const { return step + rows * row; }
};

// The bound after prompts have filled so many steps.
int32_t rows_after(StepPacer& pacer, const Machine& machine, int num_steps) {
  for (int i = 0; i < num_steps; ++i) pacer.note_step(pacer.max_rows(), machine.time_of(pacer.max_rows()));
  return pacer.max_rows();
}

TEST(StepPacer, StartsSmallAndGrowsToWhatAFastMachineMayHave) {
  StepPacer pacer({.target = 100ms, .min_rows = 16, .max_rows = 256});
  const Machine fast{.step = 1ms, .row = 50us};
  EXPECT_EQ(pacer.max_rows(), 16);
  EXPECT_EQ(rows_after(pacer, fast, 1), 64);
  EXPECT_EQ(rows_after(pacer, fast, 1), 256);
  EXPECT_EQ(rows_after(pacer, fast, 10), 256);
}

TEST(StepPacer, FindsTheRowsThatTakeTheTargetTime) {
  StepPacer pacer({.target = 100ms, .min_rows = 16, .max_rows = 256});
  EXPECT_NEAR(rows_after(pacer, {.step = 10ms, .row = 1ms}, 10), 90, 2);
  // Deeper in the context rows become dearer.
  EXPECT_NEAR(rows_after(pacer, {.step = 10ms, .row = 2ms}, 10), 45, 2);
}

TEST(StepPacer, NeverGoesBelowTheLeastHoweverSlowTheMachineIs) {
  StepPacer pacer({.target = 100ms, .min_rows = 16, .max_rows = 256});
  EXPECT_EQ(rows_after(pacer, {.step = 0us, .row = 2s}, 5), 16);
}

TEST(StepPacer, IsNotMisledByStepsThatAreSmallForWantOfWork) {
  StepPacer pacer({.target = 100ms, .min_rows = 16, .max_rows = 256});
  const Machine machine{.step = 20ms, .row = 500us};
  const int32_t settled = rows_after(pacer, machine, 10);
  for (int i = 0; i < 10; ++i) pacer.note_step(1, machine.time_of(1));
  EXPECT_EQ(pacer.max_rows(), settled);
}

TEST(StepPacer, TakesOneStepThatWasHeldUpNotForTheRule) {
  StepPacer pacer({.target = 100ms, .min_rows = 16, .max_rows = 256});
  const Machine fast{.step = 1ms, .row = 50us};
  rows_after(pacer, fast, 3);
  pacer.note_step(1, 10s);
  EXPECT_EQ(pacer.max_rows(), 64);
  EXPECT_EQ(rows_after(pacer, fast, 1), 256);
}

TEST(StepPacer, LetsEveryStepBeLargeWhereNoTimeIsAimedAt) {
  StepPacer pacer({.target = 0ms, .min_rows = 16, .max_rows = 256});
  pacer.note_step(256, 10min);
  EXPECT_EQ(pacer.max_rows(), 256);
}

TEST(StepPacer, TakesAClockThatDidNotMove) {
  StepPacer pacer({.target = 100ms, .min_rows = 16, .max_rows = 64});
  pacer.note_step(16, 0ns);
  pacer.note_step(0, 1s);
  EXPECT_EQ(pacer.max_rows(), 64);
  EXPECT_EQ(StepPacer({.target = 100ms, .min_rows = 16, .max_rows = 4}).max_rows(), 4);
}

}  // namespace
}  // namespace llama_gpu::engine
