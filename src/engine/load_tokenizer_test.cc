// SPDX-License-Identifier: Apache-2.0
#include "engine/load_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace llama_gpu::engine {
namespace {

using formats::Metadata;
using formats::MetadataArray;
using testing::ElementsAre;
using testing::HasSubstr;
using Values = std::map<std::string, formats::MetadataValue>;

Metadata metadata_of(const Values& values) {
  Metadata metadata;
  for (const auto& [key, value] : values) metadata.insert(key, value);
  return metadata;
}

Values bpe_values() {
  return {{"tokenizer.ggml.model", {std::string("gpt2")}},
          {"tokenizer.ggml.pre", {std::string("smollm")}},
          {"tokenizer.ggml.tokens", {MetadataArray(std::vector<std::string>{"a", "b", "ab", "<s>"})}},
          {"tokenizer.ggml.token_type", {MetadataArray(std::vector<int64_t>{1, 1, 1, 3})}},
          {"tokenizer.ggml.merges", {MetadataArray(std::vector<std::string>{"a b"})}},
          {"tokenizer.ggml.eos_token_id", {uint64_t{3}}}};
}

TEST(LoadTokenizer, ReadsWhatABpeFileDeclares) {
  const auto spec = tokenizer_spec(metadata_of(bpe_values()));

  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(spec->model, "gpt2");
  EXPECT_EQ(spec->pre, "smollm");
  EXPECT_THAT(spec->tokens, ElementsAre("a", "b", "ab", "<s>"));
  EXPECT_EQ(spec->kinds[3], text::TokenKind::kControl);
  EXPECT_THAT(spec->merges, ElementsAre("a b"));
  EXPECT_EQ(spec->bos, std::nullopt);
  EXPECT_EQ(spec->eos, 3);
  EXPECT_EQ(spec->add_bos, std::nullopt);
  EXPECT_FALSE(spec->add_eos);
}

TEST(LoadTokenizer, MakesATokenizer) {
  const auto tokenizer = load_tokenizer(metadata_of(bpe_values()));

  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
  EXPECT_THAT((*tokenizer)->encode("aab<s>", true, true), ElementsAre(0, 2, 3));
}

TEST(LoadTokenizer, ASentencePieceFileWithoutIdsGetsThoseOfLlama) {
  Values values = bpe_values();
  values["tokenizer.ggml.model"] = {std::string("llama")};
  values["tokenizer.ggml.scores"] = {MetadataArray(std::vector<double>{0, -1, -2, -3})};
  values["tokenizer.ggml.add_bos_token"] = {false};
  values["tokenizer.ggml.add_eos_token"] = {true};
  values["tokenizer.ggml.add_space_prefix"] = {false};
  values.erase("tokenizer.ggml.merges");

  const auto spec = tokenizer_spec(metadata_of(values));

  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_THAT(spec->scores, ElementsAre(0, -1, -2, -3));
  EXPECT_EQ(spec->bos, 1);
  EXPECT_EQ(spec->eos, 3);
  EXPECT_EQ(spec->unknown, 0);
  EXPECT_EQ(spec->add_bos, false);
  EXPECT_TRUE(spec->add_eos);
  EXPECT_FALSE(spec->add_space_prefix);
}

TEST(LoadTokenizer, AnAssumedIdOutsideTheVocabularyIsRefusedToo) {
  Values values = bpe_values();
  values["tokenizer.ggml.model"] = {std::string("llama")};
  values["tokenizer.ggml.tokens"] = {MetadataArray(std::vector<std::string>{"a"})};
  values["tokenizer.ggml.token_type"] = {MetadataArray(std::vector<int64_t>{1})};
  values.erase("tokenizer.ggml.eos_token_id");

  const auto tokenizer = load_tokenizer(metadata_of(values));

  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kTokenizerInvalid);
  EXPECT_THAT(tokenizer.error().message, HasSubstr("tokenizer.ggml.bos_token_id is 1"));
}

TEST(LoadTokenizer, AMissingKeyOrAnotherTypeIsRefusedNamingTheKey) {
  const struct {
    const char* key;
    std::optional<formats::MetadataValue> value;
  } cases[] = {
      {"tokenizer.ggml.model", std::nullopt},
      {"tokenizer.ggml.tokens", std::nullopt},
      {"tokenizer.ggml.model", {{uint64_t{1}}}},
      {"tokenizer.ggml.pre", {{true}}},
      {"tokenizer.ggml.tokens", {{MetadataArray(std::vector<double>{1})}}},
      {"tokenizer.ggml.token_type", {{MetadataArray(std::vector<std::string>{"1"})}}},
      {"tokenizer.ggml.token_type", {{MetadataArray(std::vector<int64_t>{1, 7, 1, 1})}}},
      {"tokenizer.ggml.token_type", {{MetadataArray(std::vector<int64_t>{1, 256 + 1, 1, 1})}}},
      {"tokenizer.ggml.scores", {{MetadataArray(std::vector<bool>{true})}}},
      {"tokenizer.ggml.merges", {{std::string("a b")}}},
      {"tokenizer.ggml.bos_token_id", {{uint64_t{1} << 31}}},
      {"tokenizer.ggml.eos_token_id", {{std::string("3")}}},
      {"tokenizer.ggml.eot_token_id", {{int64_t{-1} << 40}}},
      {"tokenizer.ggml.unknown_token_id", {{1.5}}},
      {"tokenizer.ggml.add_bos_token", {{uint64_t{1}}}},
      {"tokenizer.ggml.add_eos_token", {{uint64_t{1}}}},
      {"tokenizer.ggml.add_space_prefix", {{std::string("no")}}},
  };
  for (const auto& c : cases) {
    Values values = bpe_values();
    values.erase(c.key);
    if (c.value) values[c.key] = *c.value;

    const auto tokenizer = load_tokenizer(metadata_of(values));

    ASSERT_FALSE(tokenizer.ok()) << c.key;
    EXPECT_EQ(tokenizer.error().code, ErrorCode::kTokenizerInvalid) << c.key;
    EXPECT_THAT(tokenizer.error().message, HasSubstr(c.key));
  }
}

}  // namespace
}  // namespace llama_gpu::engine
