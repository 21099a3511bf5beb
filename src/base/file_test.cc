// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/failpoint.h"

namespace llama_gpu {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A folder of its own for each test.
class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "llama-gpu-file-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  fs::path folder_;
};

TEST_F(FileTest, WritesAndReadsBack) {
  ASSERT_TRUE(write_file_atomically(path("a"), "hello").ok());

  EXPECT_EQ(*read_file(path("a"), 100), "hello");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, ReadsLargeFilesInFullAndRefusesLargerOnes) {
  const std::string large(200'000, 'x');
  ASSERT_TRUE(write_file_atomically(path("a"), large).ok());

  EXPECT_EQ(*read_file(path("a"), 200'000), large);
  EXPECT_EQ(read_file(path("a"), 199'999).error().code, ErrorCode::kInvalidValue);
}

TEST_F(FileTest, ReadsFilesThatTellNoSize) {
  EXPECT_THAT(*read_file("/proc/self/status", 64 << 10), HasSubstr("VmRSS"));
}

TEST_F(FileTest, DoesNotWaitForTheWriterOfAPipe) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);

  EXPECT_EQ(read_file(path("pipe"), 100).error().code, ErrorCode::kIoFailed);
}

TEST_F(FileTest, NamesWhatCannotBeRead) {
  const auto missing = File::open_for_reading(path("missing\n"));
  const auto folder = File::open_for_reading(folder_.string());

  EXPECT_EQ(missing.error().code, ErrorCode::kFileNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("missing\\n': No such file or directory"));
  EXPECT_EQ(folder.error().code, ErrorCode::kNotAFile);
  EXPECT_THAT(folder.error().message, HasSubstr("Is a directory"));
}

TEST_F(FileTest, TellsAForbiddenFileFromAMissingOne) {
  for (const int reason : {EACCES, EPERM, EROFS}) {
    const Error error = file_error(reason, "read", "a");
    EXPECT_EQ(error.code, ErrorCode::kPermissionDenied);
    EXPECT_THAT(error.hint, HasSubstr("permissions"));
  }
}

TEST_F(FileTest, AppendsWhereItStopped) {
  {
    File file = *File::open_for_appending(path("a"));
    ASSERT_TRUE(file.write("one").ok());
  }
  File file = *File::open_for_appending(path("a"));
  ASSERT_TRUE(file.write("two").ok());
  EXPECT_EQ(*file.size_bytes(), 6U);
  EXPECT_EQ(*read_file(path("a"), 100), "onetwo");

  ASSERT_TRUE(file.truncate(2).ok());

  EXPECT_EQ(*read_file(path("a"), 100), "on");
}

TEST_F(FileTest, TellsHowMuchThereWasBeforeTheEnd) {
  ASSERT_TRUE(write_file_atomically(path("a"), "hello").ok());
  const File file = *File::open_for_reading(path("a"));
  std::array<std::byte, 10> bytes;

  EXPECT_EQ(*file.pread(bytes, 2), 3U);
  EXPECT_EQ(*file.pread(bytes, 50), 0U);
}

TEST_F(FileTest, KeepsTheOldContentsWhenAnyStepFails) {
  ASSERT_TRUE(write_file_atomically(path("a"), "old").ok());

  for (const char* step : {"file.write", "file.sync", "file.rename"}) {
    const ScopedFailpoints set(std::string(step) + "=error:disk_full");
    EXPECT_EQ(write_file_atomically(path("a"), "new").error().code, ErrorCode::kDiskFull);
  }

  EXPECT_EQ(*read_file(path("a"), 100), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, SaysThatTheDiskIsFull) {
  File full = *File::create("/dev/full");

  const Status status = full.write("x");

  EXPECT_EQ(status.error().code, ErrorCode::kDiskFull);
  EXPECT_THAT(status.error().message, HasSubstr("'/dev/full': No space left on device"));
  EXPECT_THAT(status.error().hint, HasSubstr("free some space"));
}

TEST_F(FileTest, ReportsFailuresOfTheSystemCalls) {
  File closed;
  std::array<std::byte, 1> byte;

  EXPECT_EQ(closed.write("x").error().code, ErrorCode::kIoFailed);
  EXPECT_EQ(closed.sync().error().code, ErrorCode::kIoFailed);
  EXPECT_EQ(closed.truncate(0).error().code, ErrorCode::kIoFailed);
  EXPECT_EQ(closed.size_bytes().error().code, ErrorCode::kIoFailed);
  EXPECT_EQ(closed.pread(byte, 0).error().code, ErrorCode::kIoFailed);
  EXPECT_EQ(rename_durably(path("no"), path("where")).error().code, ErrorCode::kFileNotFound);
  EXPECT_EQ(File::create("/proc/no").error().code, ErrorCode::kFileNotFound);
  EXPECT_EQ(free_disk_bytes(path("no")).error().code, ErrorCode::kFileNotFound);
  EXPECT_EQ(file_error(ENOMEM, "read", "x").code, ErrorCode::kOutOfMemory);
}

TEST_F(FileTest, MakesFoldersWithTheirParents) {
  ASSERT_TRUE(create_directories(path("a/b/c")).ok());
  ASSERT_TRUE(create_directories(path("a/b/c")).ok());
  ASSERT_TRUE(write_file_atomically(path("file"), "").ok());

  EXPECT_TRUE(fs::is_directory(path("a/b/c")));
  EXPECT_FALSE(create_directories(path("file/below")).ok());
  EXPECT_GT(*free_disk_bytes(path("a")), 0U);
}

TEST_F(FileTest, MovesOwnership) {
  File first = *File::create(path("a"));
  const int fd = first.fd();

  File second = std::move(first);
  File third;
  third = std::move(second);

  EXPECT_EQ(third.fd(), fd);
  EXPECT_EQ(third.path(), path("a"));
}

}  // namespace
}  // namespace llama_gpu
