// SPDX-License-Identifier: Apache-2.0
// The boundary tests of every declared field are made from the tables themselves: a new field is tested by
// being declared.
#include "server/parse_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "server/request_fields.gen.h"

namespace llama_gpu::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct TableField {
  std::string operation;
  std::span<const FieldSpec> table;
  FieldSpec spec;
};

void PrintTo(const TableField& field, std::ostream* out) {
  *out << field.operation << "." << field.spec.name;
}

std::vector<TableField> all_fields() {
  std::vector<TableField> fields;
  const auto add = [&](std::string operation, std::span<const FieldSpec> table) {
    for (const FieldSpec& spec : table) fields.push_back({operation, table, spec});
  };
  add("chat", kCreateChatCompletionFields);
  add("completion", kCreateCompletionFields);
  add("tokenize", kTokenizeFields);
  add("detokenize", kDetokenizeFields);
  add("template", kApplyTemplateFields);
  return fields;
}

// A body with what the table requires, and `value` for the field.
Json body_with(const TableField& field, const Json& value) {
  Json body = Json::object();
  for (const FieldSpec& spec : field.table) {
    if (spec.is_required) body[std::string(spec.name)] = "text";
  }
  body[std::string(field.spec.name)] = value;
  return body;
}

class EveryField : public testing::TestWithParam<TableField> {
 protected:
  static void expect_taken(const Json& value) {
    const Json body = body_with(GetParam(), value);
    const auto fields = Fields::check(body, GetParam().table);
    EXPECT_TRUE(fields.ok()) << value.dump() << ": " << fields.error().message;
  }
  static void expect_refused(const Json& value) {
    const Json body = body_with(GetParam(), value);
    const auto fields = Fields::check(body, GetParam().table);
    ASSERT_FALSE(fields.ok()) << value.dump();
    EXPECT_EQ(fields.error().code, ErrorCode::kInvalidValue);
    EXPECT_EQ(fields.error().param, GetParam().spec.name);
  }
};

TEST_P(EveryField, TakesItsRangeAndNothingBeyond) {
  const FieldSpec& spec = GetParam().spec;
  if (spec.kind == FieldKind::kInteger) {
    expect_taken(spec.integer.min);
    expect_taken(spec.integer.max);
    if (spec.integer.min > std::numeric_limits<int64_t>::min()) expect_refused(spec.integer.min - 1);
    expect_refused(static_cast<uint64_t>(spec.integer.max) + 1);
    expect_refused(0.5);
    expect_refused(1e300);
    expect_refused(-1e300);
    expect_refused(std::numeric_limits<uint64_t>::max());
  } else if (spec.kind == FieldKind::kNumber) {
    expect_taken(spec.number.min);
    expect_taken(spec.number.max);
    expect_refused(std::nextafter(spec.number.min, -1e9));
    expect_refused(std::nextafter(spec.number.max, 1e9));
    expect_refused(spec.number.max + 1);
    expect_refused(std::numeric_limits<int64_t>::min());
    expect_refused(std::numeric_limits<uint64_t>::max());
  }
}

TEST_P(EveryField, RefusesOtherTypes) {
  const FieldKind kind = GetParam().spec.kind;
  if (kind == FieldKind::kParsed) return;
  if (kind != FieldKind::kString) expect_refused("5");
  if (kind != FieldKind::kString) expect_refused("");
  if (kind != FieldKind::kBoolean) expect_refused(true);
  if (kind == FieldKind::kBoolean || kind == FieldKind::kString) expect_refused(1);
  expect_refused(Json::array());
  expect_refused(Json::array({1}));
  expect_refused(Json::object());
}

TEST_P(EveryField, TakesNullForAbsent) {
  const Json body = body_with(GetParam(), nullptr);
  const auto fields = Fields::check(body, GetParam().table);

  if (GetParam().spec.is_required) {
    ASSERT_FALSE(fields.ok());
    EXPECT_EQ(fields.error().code, ErrorCode::kMissingRequiredParameter);
    EXPECT_EQ(fields.error().param, GetParam().spec.name);
  } else {
    ASSERT_TRUE(fields.ok());
    EXPECT_EQ(fields->find(GetParam().spec.name), nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(Declared, EveryField, testing::ValuesIn(all_fields()), [](const auto& info) {
  return info.param.operation + "_" + std::string(info.param.spec.name);
});

constexpr std::array<FieldSpec, 4> kTable = {{
    {"count", FieldKind::kInteger, false, {1, 9}, {}},
    {"share", FieldKind::kNumber, false, {}, {0, 1}},
    {"name", FieldKind::kString, true, {}, {}},
    {"on", FieldKind::kBoolean, false, {}, {}},
}};

TEST(Fields, ReadsValuesAndListsWhatItDoesNotKnow) {
  const Json body = {{"name", "x"}, {"colour", 1}, {"count", 5.0},
                     {"share", 1},  {"on", true},  {"size", nullptr}};
  const auto fields = Fields::check(body, kTable);

  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(fields->string("name"), "x");
  EXPECT_EQ(fields->integer("count"), 5);
  EXPECT_EQ(fields->number("share", 0), 1);
  EXPECT_TRUE(fields->boolean("on", false));
  EXPECT_THAT(fields->ignored(), ElementsAre("colour", "size"));
}

TEST(Fields, FallsBackWhereNothingIsSaid) {
  const Json body = {{"name", "x"}};
  const auto fields = Fields::check(body, kTable);

  EXPECT_EQ(fields->integer("count"), std::nullopt);
  EXPECT_EQ(fields->number("share", 0.25), 0.25);
  EXPECT_TRUE(fields->boolean("on", true));
}

TEST(Fields, RefusesABodyThatIsNoObject) {
  for (const Json& body : {Json(nullptr), Json("x"), Json(1), Json::array(), Json(true)}) {
    const auto fields = Fields::check(body, kTable);
    ASSERT_FALSE(fields.ok());
    EXPECT_EQ(fields.error().code, ErrorCode::kInvalidRequest);
  }
}

TEST(Fields, SaysWhatWasSentAndWhatWasExpected) {
  const Json body = {{"name", "x"}, {"count", 10}};
  const auto fields = Fields::check(body, kTable);

  EXPECT_THAT(fields.error().message, HasSubstr("'count' is 10, expected a whole number from 1 to 9"));
}

TEST(Fields, RepeatsShortTextsOnly) {
  const auto message_of = [](const std::string& count) {
    return Fields::check(Json{{"name", "x"}, {"count", count}}, kTable).error().message;
  };

  EXPECT_THAT(message_of("5"), HasSubstr(R"('count' is the string "5", expected)"));
  EXPECT_THAT(message_of(std::string(33, 'x')), HasSubstr("'count' is a string of 33 bytes, expected"));
}

TEST(WholeNumber, TakesWhatEqualsAWholeNumber) {
  EXPECT_EQ(whole_number(Json(-3)), -3);
  EXPECT_EQ(whole_number(Json(3.0)), 3);
  EXPECT_EQ(whole_number(Json(-0.0)), 0);
  EXPECT_EQ(whole_number(Json(std::numeric_limits<uint64_t>::max())), std::nullopt);
  EXPECT_EQ(whole_number(Json(0x1p63)), std::nullopt);
  EXPECT_EQ(whole_number(Json("3")), std::nullopt);
}

}  // namespace
}  // namespace llama_gpu::server
