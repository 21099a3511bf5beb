// SPDX-License-Identifier: Apache-2.0
#include "formats/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace llama_gpu::formats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Metadata of(MetadataValue value) {
  Metadata metadata;
  metadata.insert("key", std::move(value));
  return metadata;
}

TEST(Metadata, FindsWhatWasInserted) {
  const Metadata metadata = of({uint64_t{7}});

  EXPECT_NE(metadata.find("key"), nullptr);
  EXPECT_EQ(metadata.find("other"), nullptr);
  EXPECT_EQ(metadata.all().size(), 1u);
}

TEST(MetadataDeathTest, InsertingAKeyTwiceBreaksTheContract) {
  Metadata metadata = of({uint64_t{7}});
  EXPECT_DEATH(metadata.insert("key", {uint64_t{8}}), "inserted twice");
}

TEST(Metadata, GettersReturnValuesOfTheirOwnType) {
  EXPECT_EQ(of({std::string("text")}).string("key").value(), "text");
  EXPECT_EQ(of({uint64_t{7}}).integer("key", 0, 10).value(), 7);
  EXPECT_EQ(of({int64_t{-7}}).integer("key", -10, 10).value(), -7);
  EXPECT_EQ(of({0.5}).number("key", 0, 1).value(), 0.5);
  EXPECT_EQ(of({true}).boolean("key").value(), true);
  EXPECT_THAT(*of({MetadataArray(std::vector<std::string>{"a", "b"})}).strings("key").value(),
              ElementsAre("a", "b"));
  EXPECT_THAT(of({MetadataArray(std::vector<double>{0.5, 2})}).floats("key").value(),
              ElementsAre(0.5f, 2.0f));
  EXPECT_THAT(of({MetadataArray(std::vector<int64_t>{-1, 2})}).integers("key").value(), ElementsAre(-1, 2));
  EXPECT_THAT(of({MetadataArray(std::vector<uint64_t>{1, 2})}).integers("key").value(), ElementsAre(1, 2));
}

TEST(Metadata, AMissingKeyIsNamedWithWhatWasExpected) {
  const Metadata none;

  EXPECT_THAT(none.integer("key", 1, 512).error().message,
              "metadata key 'key' is missing, expected an integer from 1 to 512");
  for (const Error& error :
       {none.string("key").error(), none.number("key", 0, 1).error(), none.boolean("key").error(),
        none.strings("key").error(), none.floats("key").error(), none.integers("key").error()}) {
    EXPECT_EQ(error.code, ErrorCode::kModelInvalid);
    EXPECT_THAT(error.message, HasSubstr("'key' is missing, expected a"));
    EXPECT_FALSE(error.hint.empty());
  }
}

TEST(Metadata, AValueOfAnotherTypeIsNeverConverted) {
  const Metadata text = of({std::string("12")});
  const Metadata integer = of({uint64_t{1}});

  EXPECT_EQ(text.integer("key", 0, 100).error().message,
            "metadata key 'key' is the string '12', expected an integer from 0 to 100");
  EXPECT_THAT(integer.number("key", 0, 1).error().message,
              HasSubstr("is the integer 1, expected a floating-point"));
  EXPECT_THAT(integer.boolean("key").error().message, HasSubstr("is the integer 1, expected a boolean"));
  EXPECT_THAT(integer.string("key").error().message, HasSubstr("is the integer 1, expected a string"));
  EXPECT_THAT(integer.strings("key").error().message, HasSubstr("expected an array of strings"));
  EXPECT_THAT(integer.floats("key").error().message,
              HasSubstr("expected an array of floating-point numbers"));
  EXPECT_THAT(integer.integers("key").error().message, HasSubstr("expected an array of integers"));
  EXPECT_THAT(of({true}).integer("key", 0, 1).error().message, HasSubstr("is the boolean true"));
  EXPECT_THAT(of({int64_t{-3}}).string("key").error().message, HasSubstr("is the integer -3"));
  EXPECT_THAT(of({0.5}).integer("key", 0, 1).error().message, HasSubstr("is the number 0.5"));
  EXPECT_THAT(of({MetadataArray(std::vector<bool>{true})}).floats("key").error().message,
              HasSubstr("is an array of 1 booleans"));
  EXPECT_THAT(of({MetadataArray(std::vector<uint64_t>{1, 2})}).floats("key").error().message,
              HasSubstr("is an array of 2 unsigned integers"));
}

TEST(Metadata, ValuesOutOfRangeAreRefused) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();

  EXPECT_FALSE(of({uint64_t{11}}).integer("key", 0, 10).ok());
  EXPECT_FALSE(of({int64_t{-1}}).integer("key", 0, 10).ok());
  EXPECT_THAT(of({std::numeric_limits<uint64_t>::max()}).integer("key", 0, 10).error().message,
              HasSubstr("is the integer 18446744073709551615"));
  EXPECT_FALSE(of({1.5}).number("key", 0, 1).ok());
  EXPECT_FALSE(of({-0.5}).number("key", 0, 1).ok());
  EXPECT_FALSE(of({std::numeric_limits<double>::quiet_NaN()}).number("key", -kInfinity, kInfinity).ok());
  EXPECT_FALSE(of({kInfinity}).number("key", 0, kInfinity).ok());
  EXPECT_THAT(of({MetadataArray(std::vector<uint64_t>{uint64_t{1} << 63})}).integers("key").error().message,
              HasSubstr("expected integers below 2^63, not 9223372036854775808"));
}

TEST(Metadata, AnErrorSaysWhereTheValueStandsAndQuotesItSafely) {
  const Error error = of({std::string("\x1b[31m\n") + std::string(1000, 'x'), 42}).boolean("key").error();

  EXPECT_EQ(error.byte_offset, 42u);
  EXPECT_THAT(error.message, testing::Not(HasSubstr("\x1b")));
  EXPECT_LT(error.message.size(), 300u);
}

TEST(Metadata, AFallbackStandsInForAnAbsentKeyOnly) {
  const Metadata none;
  EXPECT_EQ(none.string_or("key", "f").value(), "f");
  EXPECT_EQ(none.integer_or("key", 0, 1, 5).value(), 5);
  EXPECT_EQ(none.number_or("key", 0, 1, 5).value(), 5);
  EXPECT_EQ(none.boolean_or("key", true).value(), true);

  EXPECT_EQ(of({std::string("t")}).string_or("key", "f").value(), "t");
  EXPECT_EQ(of({uint64_t{1}}).integer_or("key", 0, 1, 5).value(), 1);
  EXPECT_EQ(of({0.5}).number_or("key", 0, 1, 5).value(), 0.5);
  EXPECT_EQ(of({false}).boolean_or("key", true).value(), false);

  const Metadata array = of({MetadataArray(std::vector<bool>{})});
  EXPECT_FALSE(array.string_or("key", "f").ok());
  EXPECT_FALSE(array.integer_or("key", 0, 1, 5).ok());
  EXPECT_FALSE(array.number_or("key", 0, 1, 5).ok());
  EXPECT_FALSE(array.boolean_or("key", true).ok());
}

}  // namespace
}  // namespace llama_gpu::formats
