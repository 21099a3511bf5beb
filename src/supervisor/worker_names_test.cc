// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker_names.h"

#include <gtest/gtest.h>

namespace llama_gpu::supervisor {
namespace {

TEST(WorkerNames, NamesStatesAndExits) {
  EXPECT_EQ(worker_state_name(WorkerState::kStarting), "starting");
  EXPECT_EQ(worker_state_name(WorkerState::kStopped), "stopped");
  EXPECT_EQ(exit_kind_name(ExitKind::kOutOfMemory), "oom");
  EXPECT_EQ(exit_kind_name(ExitKind::kStopped), "stopped");
  EXPECT_EQ(exit_kind_name(ExitKind::kNotStarted), "not_started");
}

}  // namespace
}  // namespace llama_gpu::supervisor
