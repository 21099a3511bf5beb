// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.h"

#include <gtest/gtest.h>

#include "base/temporary_folder_fake.h"

namespace llama_gpu {
namespace {

TEST(Sha256, IsThatOfTheStandardsExample) {
  const TemporaryFolder folder;
  const std::atomic<bool> cancelled = false;

  EXPECT_EQ(*sha256_of_file(folder.write("a", "abc"), cancelled),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(*sha256_of_file(folder.write("b", ""), cancelled),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_FALSE(sha256_of_file(folder.path("missing"), cancelled).ok());
}

TEST(Sha256, TakesItsBytesInPieces) {
  Sha256 digest;
  digest.add("a");
  digest.add("");
  digest.add("bc");

  EXPECT_EQ(digest.finish(), sha256_of("abc"));
}

TEST(Sha256, StopsWhenAsked) {
  const TemporaryFolder folder;
  const std::atomic<bool> cancelled = true;

  EXPECT_EQ(sha256_of_file(folder.write("a", "abc"), cancelled).error().code, ErrorCode::kCancelled);
}

TEST(Sha256, KnowsItsForm) {
  EXPECT_TRUE(is_sha256(std::string(64, 'A')));
  EXPECT_FALSE(is_sha256(std::string(63, 'a')));
  EXPECT_FALSE(is_sha256(std::string(64, 'g')));
}

}  // namespace
}  // namespace llama_gpu
