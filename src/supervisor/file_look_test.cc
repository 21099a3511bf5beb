// SPDX-License-Identifier: Apache-2.0
#include "supervisor/file_look.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <semaphore>
#include <thread>

#include "support/scratch_file.h"

namespace llama_gpu::supervisor {
namespace {

// The result of a look that is under way.
FileStamp wait_for(FileLook& look) {
  for (;;) {
    if (const auto found = look.take()) return *found;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(FileLook, FindsWhatStampOfFindsOnce) {
  const test_support::ScratchFile file(".gguf");
  FileLook look(file.path(), stamp_of);
  EXPECT_EQ(look.take(), std::nullopt);

  look.begin();

  EXPECT_EQ(wait_for(look), stamp_of(file.path()));
  EXPECT_EQ(look.take(), std::nullopt);
  look.begin();
  EXPECT_EQ(wait_for(look), stamp_of(file.path()));
}

TEST(FileLook, NeitherWaitsForAFileSystemThatHangsNorAsksItTwice) {
  const auto gate = std::make_shared<std::binary_semaphore>(0);
  const auto num_reads = std::make_shared<std::atomic<int>>(0);
  {
    FileLook look("/hangs", [gate, num_reads](const std::string&) {
      ++*num_reads;
      gate->acquire();
      return FileStamp{.exists = true};
    });
    look.begin();
    look.begin();
    EXPECT_EQ(look.take(), std::nullopt);
    gate->release();
    EXPECT_TRUE(wait_for(look).exists);
    EXPECT_EQ(*num_reads, 1);
    look.begin();
  }
  gate->release();  // its thread ends without it
}

}  // namespace
}  // namespace llama_gpu::supervisor
