// SPDX-License-Identifier: Apache-2.0
#include "app/answer_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace llama_gpu::app {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(AnswerParameters, AreSetByNameAndLeftToTheDefaultAgain) {
  AnswerOptions options;
  EXPECT_THAT(parameter_texts(options), ElementsAre(Pair("temperature", "default"), Pair("top_p", "default"),
                                                    Pair("max_tokens", "default"), Pair("seed", "default")));

  EXPECT_TRUE(set_parameter(options, "temperature", "0.7").ok());
  EXPECT_TRUE(set_parameter(options, "top_p", "1").ok());
  EXPECT_TRUE(set_parameter(options, "max_tokens", "5").ok());
  EXPECT_TRUE(set_parameter(options, "seed", "-7").ok());
  EXPECT_TRUE(set_parameter(options, "top_p", "default").ok());

  EXPECT_THAT(parameter_texts(options), ElementsAre(Pair("temperature", "0.7"), Pair("top_p", "default"),
                                                    Pair("max_tokens", "5"), Pair("seed", "-7")));
}

TEST(AnswerParameters, KeepTheirValueWhereAnotherIsRefused) {
  AnswerOptions options{.max_tokens = 5, .temperature = 1, .top_p = {}, .seed = {}};

  EXPECT_EQ(set_parameter(options, "temperature", "hot").error().message,
            "temperature: 'hot' is not valid, expected a number from 0 to 2");
  EXPECT_EQ(set_parameter(options, "max_tokens", "0").error().message,
            "max_tokens: '0' is not valid, expected an integer from 1 to 2147483647");
  EXPECT_EQ(set_parameter(options, "temprature", "1").error().message,
            "there is no parameter 'temprature'; did you mean 'temperature'?");

  EXPECT_EQ(options.temperature, 1);
  EXPECT_EQ(options.max_tokens, 5);
}

}  // namespace
}  // namespace llama_gpu::app
