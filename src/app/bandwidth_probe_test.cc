// SPDX-License-Identifier: Apache-2.0
#include "app/bandwidth_probe.h"

#include <gtest/gtest.h>

namespace llama_gpu::app {
namespace {

TEST(BandwidthProbe, MeasuresWithAnyNumberOfThreads) {
  for (int num_threads : {0, 1, 3}) {
    const Result<double> bandwidth = probe_read_bandwidth(5'000'000, num_threads);

    ASSERT_TRUE(bandwidth.ok());
    EXPECT_GT(*bandwidth, 0);
  }
  EXPECT_GE(num_usable_cores(), 1);
}

TEST(BandwidthProbe, SaysWhereThereIsNotEnoughMemory) {
  EXPECT_EQ(probe_read_bandwidth(uint64_t{1} << 60, 1).error().code, ErrorCode::kOutOfMemory);
}

}  // namespace
}  // namespace llama_gpu::app
