// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/llama.h"

namespace llama_gpu::models {
namespace {

using formats::Metadata;
using formats::MetadataValue;

using Values = std::map<std::string, MetadataValue>;

Values llama_values() {
  return {{"llama.block_count", {uint64_t{4}}},
          {"llama.context_length", {uint64_t{512}}},
          {"llama.embedding_length", {uint64_t{64}}},
          {"llama.feed_forward_length", {uint64_t{96}}},
          {"llama.attention.head_count", {uint64_t{4}}},
          {"llama.attention.head_count_kv", {uint64_t{2}}},
          {"llama.attention.layer_norm_rms_epsilon", {1e-5}}};
}

Result<ModelConfig> read(const Values& values) {
  Metadata metadata;
  for (const auto& [key, value] : values) metadata.insert(key, value);
  return read_llama_config(metadata, /*vocab_rows=*/320);
}

Result<ModelConfig> read_with(const std::string& key, MetadataValue value) {
  Values values = llama_values();
  values[key] = std::move(value);
  return read(values);
}

TEST(LlamaConfig, ReadsWhatTheFileSaysAndDerivesTheRest) {
  const ModelConfig config = read(llama_values()).value();

  EXPECT_EQ(config.num_layers, 4);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.q_dim(), 64);
  EXPECT_EQ(config.kv_dim(), 32);
  EXPECT_EQ(config.rotary_dim(), 16);
  EXPECT_EQ(config.vocab_size, 320);
  EXPECT_DOUBLE_EQ(config.inverse_frequencies[0], 1.0);
  EXPECT_DOUBLE_EQ(config.inverse_frequencies[4], std::pow(10000.0, -0.5));
}

TEST(LlamaConfig, WithoutKvHeadsEachHeadHasItsOwn) {
  Values values = llama_values();
  values.erase("llama.attention.head_count_kv");
  EXPECT_EQ(read(values)->num_kv_heads, 4);
}

TEST(LlamaConfig, AKeyLengthOfItsOwnNeedNotDivideTheWidth) {
  Values values = llama_values();
  values["llama.attention.key_length"] = {uint64_t{24}};
  values["llama.attention.head_count"] = {uint64_t{6}};
  EXPECT_EQ(read(values)->q_dim(), 144);
}

TEST(LlamaConfig, LinearScalingDividesEveryFrequency) {
  Values values = llama_values();
  values["llama.rope.scaling.type"] = {std::string("linear")};
  values["llama.rope.scaling.factor"] = {4.0};
  EXPECT_DOUBLE_EQ(read(values)->inverse_frequencies[0], 0.25);
}

TEST(LlamaConfig, FactorsOfTheFileDivideTheirFrequency) {
  ModelConfig config = read(llama_values()).value();
  std::vector<float> factors(8, 1.0F);
  factors[3] = 8.0F;

  ASSERT_TRUE(apply_rope_factors(config, factors).ok());
  EXPECT_DOUBLE_EQ(config.inverse_frequencies[3], std::pow(10000.0, -6.0 / 16) / 8);
  EXPECT_DOUBLE_EQ(config.inverse_frequencies[2], std::pow(10000.0, -4.0 / 16));

  factors[0] = 0.0F;
  EXPECT_EQ(apply_rope_factors(config, factors).error().code, ErrorCode::kModelInvalid);
}

TEST(LlamaConfig, EveryRequiredKeyIsNamedWhereItIsMissing) {
  for (const char* key :
       {"llama.block_count", "llama.context_length", "llama.embedding_length", "llama.feed_forward_length",
        "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon"}) {
    Values values = llama_values();
    values.erase(key);
    const auto config = read(values);
    ASSERT_FALSE(config.ok()) << key;
    EXPECT_EQ(config.error().code, ErrorCode::kModelInvalid);
    EXPECT_THAT(config.error().message, ::testing::HasSubstr(key));
  }
}

struct BadValue {
  const char* key;
  MetadataValue value;
};

class LlamaConfigBadValue : public ::testing::TestWithParam<BadValue> {};

TEST_P(LlamaConfigBadValue, IsRefusedByName) {
  const auto config = read_with(GetParam().key, GetParam().value);

  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().code, ErrorCode::kModelInvalid);
  EXPECT_THAT(config.error().message, ::testing::HasSubstr(GetParam().key));
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const BadValue kBadValues[] = {
    {"llama.block_count", {uint64_t{0}}},
    {"llama.block_count", {int64_t{-1}}},
    {"llama.block_count", {std::numeric_limits<uint64_t>::max()}},
    {"llama.block_count", {std::string("4")}},
    {"llama.context_length", {uint64_t{0}}},
    {"llama.context_length", {uint64_t{1} << 40}},
    {"llama.embedding_length", {uint64_t{0}}},
    {"llama.embedding_length", {int64_t{-64}}},
    {"llama.embedding_length", {64.0}},
    {"llama.feed_forward_length", {uint64_t{1} << 62}},
    {"llama.attention.head_count", {uint64_t{0}}},
    {"llama.attention.head_count", {uint64_t{6}}},
    {"llama.attention.head_count_kv", {uint64_t{0}}},
    {"llama.attention.head_count_kv", {uint64_t{3}}},
    {"llama.attention.head_count_kv", {uint64_t{8}}},
    {"llama.attention.key_length", {uint64_t{0}}},
    {"llama.attention.key_length", {uint64_t{1} << 19}},
    {"llama.attention.value_length", {uint64_t{8}}},
    {"llama.rope.dimension_count", {uint64_t{7}}},
    {"llama.rope.dimension_count", {uint64_t{0}}},
    {"llama.rope.dimension_count", {uint64_t{18}}},
    {"llama.rope.freq_base", {0.0}},
    {"llama.rope.freq_base", {kNan}},
    {"llama.rope.freq_base", {std::numeric_limits<double>::infinity()}},
    {"llama.vocab_size", {uint64_t{321}}},
    {"llama.vocab_size", {uint64_t{0}}},
    {"llama.attention.layer_norm_rms_epsilon", {0.0}},
    {"llama.attention.layer_norm_rms_epsilon", {-1e-5}},
    {"llama.attention.layer_norm_rms_epsilon", {kNan}},
    {"llama.attention.layer_norm_rms_epsilon", {true}},
};
INSTANTIATE_TEST_SUITE_P(Values, LlamaConfigBadValue, ::testing::ValuesIn(kBadValues));

TEST(LlamaConfig, RefusesWhatWouldChangeAnswersIfItWereIgnored) {
  EXPECT_EQ(read_with("llama.expert_count", {uint64_t{8}}).error().code, ErrorCode::kUnsupportedModel);
  EXPECT_EQ(read_with("llama.rope.scaling.type", {std::string("yarn")}).error().code,
            ErrorCode::kUnsupportedModel);
  EXPECT_EQ(read_with("llama.rope.scaling.type", {std::string("linear")}).error().code,
            ErrorCode::kModelInvalid);
  EXPECT_TRUE(read_with("llama.expert_count", {uint64_t{0}}).ok());
}

}  // namespace
}  // namespace llama_gpu::models
