// SPDX-License-Identifier: Apache-2.0
#include "app/number_text.h"

#include <gtest/gtest.h>

namespace llama_gpu::app {
namespace {

TEST(NumberText, IsReadInItsRange) {
  EXPECT_EQ(*read_integer("n", "5", {1, 5}), 5);
  EXPECT_EQ(*read_integer("seed", " -3 ", limits::kSeed), -3);
  EXPECT_EQ(*read_number("top_p", "0.5", limits::kTopP), 0.5);
  EXPECT_EQ(*read_number("temperature", "2", limits::kTemperature), 2.0);
}

TEST(NumberText, IsRefusedWithNameValueAndRange) {
  EXPECT_EQ(read_integer("--port", "0x\n", {1, 5}).error(),
            (Error{ErrorCode::kInvalidValue, "--port: '0x\\n' is not valid, expected an integer from 1 to 5",
                   "", "--port"}));
  EXPECT_EQ(read_number("--temperature", "2.5", limits::kTemperature).error().message,
            "--temperature: '2.5' is not valid, expected a number from 0 to 2");
  for (const char* text : {"", "nan", "inf", "1e999", "abc", "-1"}) {
    EXPECT_FALSE(read_number("n", text, {0, 1}).ok()) << text;
    EXPECT_FALSE(read_integer("n", text, {0, 1}).ok()) << text;
  }
}

}  // namespace
}  // namespace llama_gpu::app
