// SPDX-License-Identifier: Apache-2.0
#include "telemetry/process_memory.h"

#include <gtest/gtest.h>

namespace llama_gpu::telemetry {
namespace {

TEST(ProcessMemory, ReadsResidentAndPeak) {
  const ProcessMemory memory = parse_process_status("Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\n");

  EXPECT_EQ(memory.resident, 1024U * 1024);
  EXPECT_EQ(memory.peak_resident, 2048U * 1024);
}

TEST(ProcessMemory, CountsWhatItCannotReadAsZero) {
  EXPECT_EQ(parse_process_status("VmRSS: lots\n").resident, 0U);
  EXPECT_EQ(parse_process_status("").peak_resident, 0U);
}

TEST(ProcessMemory, KnowsThisProcessAndNoMissingOne) {
  EXPECT_GT(process_memory()->resident, 1'000'000U);
  EXPECT_FALSE(process_memory(-5).ok());
}

}  // namespace
}  // namespace llama_gpu::telemetry
