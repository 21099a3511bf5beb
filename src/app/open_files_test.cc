// SPDX-License-Identifier: Apache-2.0
#include "app/open_files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace llama_gpu::app {
namespace {

TEST(OpenFiles, RaisesTheLimitAsFarAsItMayGo) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{256, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);

  const uint64_t raised = raise_open_file_limit();

  rlimit after{};
  ::getrlimit(RLIMIT_NOFILE, &after);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(raised, before.rlim_max);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

TEST(OpenFiles, LeavesWorkersTheirShare) {
  EXPECT_EQ(fit_connections(1024, 1 << 20, 1), 1024);
  EXPECT_EQ(fit_connections(1024, 1024, 1), 1024 - 64 - 16);
  EXPECT_EQ(fit_connections(1024, 1024, 2), 1024 - 64 - 32);
  EXPECT_EQ(fit_connections(10, 1024, 1), 10);
  EXPECT_EQ(fit_connections(10, 20, 1), 1);
  EXPECT_EQ(fit_connections(10, RLIM_INFINITY, 1), 10);
}

}  // namespace
}  // namespace llama_gpu::app
