// SPDX-License-Identifier: Apache-2.0
//
// Tokens, texts and prompts of other implementations, for the default model's own vocabulary and template.
// The files are written by scripts/make_tokenizer_vectors.py; README.md says how the reference answers were
// made.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "engine/prompt_encoder.h"
#include "formats/checkpoint.h"
#include "support/default_model.h"
#include "text/pre_tokenizer.h"

namespace llama_gpu {
namespace {

using nlohmann::json;

constexpr int64_t kAnyLength = std::numeric_limits<int64_t>::max();

json golden(const std::string& name) {
  return json::parse(std::ifstream(std::string(LLAMAGPU_TESTDATA) + "/golden/" + name));
}

const engine::PromptEncoder& encoder() {
  static const std::unique_ptr<const engine::PromptEncoder> made = [] {
    auto checkpoint = formats::open_checkpoint(test_support::default_model_path());
    CHECK(checkpoint.ok(), "the default model cannot be opened");
    auto loaded = engine::PromptEncoder::create((*checkpoint)->metadata());
    CHECK(loaded.ok(), "the default model's tokenizer is refused");
    return *std::move(loaded);
  }();
  return *made;
}

const text::Tokenizer& tokenizer() { return encoder().tokenizer(); }

engine::ChatPrompt conversation(const json& messages) {
  engine::ChatPrompt prompt;
  for (const json& message : messages) prompt.messages.push_back({message.at("role"), message.at("content")});
  return prompt;
}

std::string streamed(const std::vector<TokenId>& ids) {
  text::Detokenizer detokenizer(tokenizer(), /*is_continuation=*/false);
  std::string text;
  for (const TokenId id : ids) {
    const std::string piece = detokenizer.append(id);
    EXPECT_TRUE(is_valid_utf8(piece));
    text += piece;
  }
  return text + detokenizer.finish();
}

class GoldenText : public testing::TestWithParam<const char*> {};

TEST_P(GoldenText, EveryTextHasTheSameTokens) {
  for (const json& row : golden(GetParam()).at("tokenize")) {
    const std::string text = row.at("text");
    EXPECT_EQ(tokenizer().encode(text, /*parse_special=*/true, /*add_special=*/true),
              row.at("ids").get<std::vector<TokenId>>())
        << row.at("text");
  }
}

TEST_P(GoldenText, EveryRowOfTokensHasTheSameText) {
  for (const json& row : golden(GetParam()).at("detok")) {
    const auto ids = row.at("ids").get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer().decode(ids), row.at("text").get<std::string>());
  }
}

TEST_P(GoldenText, PlainTextHasNoControlTokenAndStreamsBackAsItsText) {
  for (const json& row : golden(GetParam()).at("tokenize")) {
    const std::string text = row.at("text");

    const auto ids = tokenizer().encode(text, /*parse_special=*/false, /*add_special=*/false);

    for (const TokenId id : ids) EXPECT_EQ(tokenizer().kind(id), text::TokenKind::kNormal) << row.at("text");
    EXPECT_EQ(streamed(ids), tokenizer().decode(ids));
  }
}

TEST_P(GoldenText, CuttingATextIntoSpansChangesNothing) {
  for (const json& row : golden(GetParam()).at("tokenize")) {
    const std::string text = row.at("text");
    std::vector<text::TextSpan> spans;
    for (size_t at = 0; at < text.size(); at += 3) spans.push_back({text.substr(at, 3), true});

    EXPECT_EQ(tokenizer().encode(spans, /*add_special=*/false), row.at("ids").get<std::vector<TokenId>>());
  }
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenText,
                         testing::Values("smollm2-135m-instruct-q4_1.json", "tokenizer/smollm.json"),
                         [](const auto& test) { return test.index == 0 ? "Reference" : "RandomTexts"; });

constexpr const char* kReference = "smollm2-135m-instruct-q4_1.json";

TEST(GoldenChat, EveryConversationHasTheSamePrompt) {
  const json rows = golden(kReference).at("render");
  ASSERT_FALSE(rows.empty());
  for (const json& row : rows) {
    const auto prompt = encoder().render(conversation(row.at("messages")));
    ASSERT_TRUE(prompt.ok()) << row << prompt.error().message;
    EXPECT_EQ(*prompt, row.at("text").get<std::string>());
  }
}

TEST(GoldenChat, EveryConversationHasTheSameTokens) {
  const json rows = golden(kReference).at("generate");
  ASSERT_FALSE(rows.empty());
  for (const json& row : rows) {
    const auto prompt = encoder().encode(conversation(row.at("messages")), kAnyLength);
    ASSERT_TRUE(prompt.ok()) << row << prompt.error().message;
    EXPECT_EQ(prompt->tokens, row.at("prompt_ids").get<std::vector<TokenId>>()) << row;
  }
}

// Code points in a golden file's ranges, as flags.
std::vector<bool> members(const json& ranges) {
  std::vector<bool> flags(0x110000, false);
  for (const json& range : ranges) {
    for (uint32_t c = range.at(0); c <= range.at(1).get<uint32_t>(); ++c) flags[c] = true;
  }
  return flags;
}

// Whether `c` stays in one word with the text before it.
bool joins(const text::PreTokenizer& pre_tokenizer, std::string before, char32_t c) {
  append_utf8(before, c);
  int num_words = 0;
  pre_tokenizer.for_each_word(before, [&](std::string_view) { ++num_words; });
  return num_words == 1;
}

TEST(GoldenUnicode, EveryCharacterIsOfTheSameClass) {
  const json classes = golden("tokenizer/unicode_classes.json");
  const auto gpt2 = text::PreTokenizer::create("gpt-2");
  const auto smollm = text::PreTokenizer::create("smollm");
  const auto letters = members(classes.at("letters")), numbers = members(classes.at("numbers"));
  const auto digits = members(classes.at("digits")), spaces = members(classes.at("spaces"));

  for (char32_t c = 0; c < 0x110000; ++c) {
    if ((c >= 0xD800 && c <= 0xDFFF) || c == '\'') continue;
    ASSERT_EQ(joins(*gpt2, "a", c), letters[c]) << uint32_t{c};
    ASSERT_EQ(joins(*gpt2, "1", c), numbers[c]) << uint32_t{c};
    ASSERT_EQ(joins(*gpt2, "\t", c), spaces[c]) << uint32_t{c};
    // Behind "!", what is no letter, number or space goes on the word; SmolLM cuts digits out first.
    ASSERT_EQ(joins(*smollm, "!", c), !letters[c] && !numbers[c] && !spaces[c] && !digits[c]) << uint32_t{c};
  }
}

}  // namespace
}  // namespace llama_gpu
