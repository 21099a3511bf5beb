// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace llama_gpu {
namespace {

Error some_error() { return Error{ErrorCode::kDiskFull, "no room", "make some"}; }

Result<int> half(int value) {
  if (value % 2 != 0) return Error{ErrorCode::kInvalidValue, "odd"};
  return value / 2;
}

Result<int> quarter(int value) {
  TRY(const int first, half(value));
  TRY(const int second, half(first));
  return second;
}

Status check_even(int value) {
  TRY_STATUS(half(value));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> value = 7;
  const Result<int> error = some_error();

  EXPECT_TRUE(value.ok());
  EXPECT_EQ(*value, 7);
  EXPECT_FALSE(error);
  EXPECT_EQ(error.error(), some_error());
}

TEST(Result, GivesAwayWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(3);

  EXPECT_EQ(**result, 3);
  const std::unique_ptr<int> taken = *std::move(result);

  EXPECT_EQ(*taken, 3);
}

TEST(Result, ReachesMembersOfItsValue) {
  Result<std::string> text = std::string("four");
  const Result<std::string> fixed = text;

  EXPECT_EQ(text->size(), 4U);
  EXPECT_EQ(fixed->size(), 4U);
}

TEST(Result, TryReturnsTheFirstErrorToTheCaller) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_EQ(quarter(3).error().message, "odd");
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_TRUE(check_even(2).ok());
  EXPECT_EQ(check_even(1).error().code, ErrorCode::kInvalidValue);
}

TEST(Result, GivesAwayAStatusError) {
  Status status = some_error();

  EXPECT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kDiskFull);
  EXPECT_EQ(std::move(status).error().message, "no room");
}

TEST(ResultDeathTest, AskingForWhatIsNotThereEndsTheProcess) {
  const Result<int> value = 7;
  const Result<int> error = some_error();
  const Status fine;

  EXPECT_DEATH((void)*error, "value\\(\\) of a Result that holds an error");
  EXPECT_DEATH((void)value.error(), "error\\(\\) of a Result that holds a value");
  EXPECT_DEATH((void)fine.error(), "error\\(\\) of a Status that is ok");
}

TEST(ErrorCodes, EachRowStandsAtItsCodeAndHasItsOwnName) {
  std::set<std::string_view> names;
  for (const ErrorCodeInfo& info : kErrorCodes) {
    EXPECT_EQ(&error_code_info(info.code), &info);
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_GE(info.http_status, 400);
    EXPECT_GT(info.exit_code, 0);
  }
}

}  // namespace
}  // namespace llama_gpu
