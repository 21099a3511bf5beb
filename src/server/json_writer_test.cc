// SPDX-License-Identifier: Apache-2.0
#include "server/json_writer.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace llama_gpu::server {
namespace {

TEST(JsonWriter, PutsCommasBetweenValues) {
  std::string out;
  JsonWriter json(out);

  json.begin_object().key("a").begin_array().integer(1).string("x").begin_object().end_object().end_array();
  json.key("b").null().key("c").boolean(true).key("d").number(0.5F).key("e").raw("[2]").end_object();

  EXPECT_EQ(out, R"({"a":[1,"x",{}],"b":null,"c":true,"d":0.5,"e":[2]})");
}

TEST(JsonWriter, EscapesSoThatAnyParserReadsTheTextBack) {
  std::string text;
  for (int c = 0; c < 0x80; ++c) text += static_cast<char>(c);
  text += "é \xF0\x9F\x98\x80";
  std::string out;
  JsonWriter(out).string(text);

  EXPECT_EQ(nlohmann::json::parse(out).get<std::string>(), text);
  EXPECT_EQ(out.find('\n'), std::string::npos);
}

TEST(JsonWriter, WritesTheShortestNumberThatReadsBack) {
  for (const float value : {0.0F, -0.1F, 1e-30F, 3.4e38F, -12.345678F}) {
    std::string out;
    append_json_number(out, value);
    EXPECT_EQ(nlohmann::json::parse(out).get<float>(), value) << out;
  }
}

TEST(JsonWriter, WritesAnImpossibleLogprobAsOpenAiDoes) {
  std::string out;
  append_json_number(out, -std::numeric_limits<float>::infinity());

  EXPECT_EQ(out, "-9999");
}

}  // namespace
}  // namespace llama_gpu::server
