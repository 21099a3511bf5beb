// SPDX-License-Identifier: Apache-2.0
#include "plugins/latency_window.h"

#include <gtest/gtest.h>

namespace llama_gpu::plugins {
namespace {

TEST(LatencyWindow, IsZeroWithoutCalls) { EXPECT_EQ(LatencyWindow().quantile(0.5), 0); }

TEST(LatencyWindow, GivesTheNearestRank) {
  LatencyWindow window;
  for (const double seconds : {5, 1, 4, 2, 3}) window.add(seconds);
  EXPECT_EQ(window.quantile(0), 1);
  EXPECT_EQ(window.quantile(0.5), 3);
  EXPECT_EQ(window.quantile(0.95), 5);
  EXPECT_EQ(window.quantile(1), 5);
}

TEST(LatencyWindow, ForgetsWhatLiesBehindTheLastCalls) {
  LatencyWindow window;
  for (int i = 0; i < 100; ++i) window.add(1'000);
  for (size_t i = 0; i < LatencyWindow::kCalls; ++i) window.add(static_cast<double>(i));
  EXPECT_EQ(window.quantile(1), static_cast<double>(LatencyWindow::kCalls - 1));
  EXPECT_EQ(window.quantile(0.5), static_cast<double>(LatencyWindow::kCalls / 2 - 1));
}

}  // namespace
}  // namespace llama_gpu::plugins
