// SPDX-License-Identifier: Apache-2.0
#include "base/file_stamp.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "support/scratch_file.h"

namespace llama_gpu {
namespace {

TEST(FileStamp, ChangesWithTheFileItsSizeItsTimeAndItsPlace) {
  const test_support::ScratchFile file, copy;
  const std::string path = file.path(), other = copy.path();
  EXPECT_FALSE(stamp_of(path).exists);
  EXPECT_EQ(stamp_of(path), FileStamp{});

  std::ofstream(path) << "one";
  const FileStamp first = stamp_of(path);
  EXPECT_TRUE(first.exists);
  EXPECT_EQ(first.size_bytes, 3U);
  EXPECT_EQ(stamp_of(path), first);

  std::ofstream(path, std::ios::app) << "+";
  EXPECT_NE(stamp_of(path), first);
  const FileStamp longer = stamp_of(path);
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(1));
  EXPECT_NE(stamp_of(path), longer);

  const FileStamp before = stamp_of(path);
  std::filesystem::copy_file(path, other, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::last_write_time(other, std::filesystem::last_write_time(path));
  std::filesystem::rename(other, path);
  EXPECT_NE(stamp_of(path), before);
}

}  // namespace
}  // namespace llama_gpu
