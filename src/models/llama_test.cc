// SPDX-License-Identifier: Apache-2.0
#include "models/llama.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "formats/checkpoint.h"
#include "ops/reference/reference_backend.h"
#include "support/scratch_file.h"
#include "support/tiny_model.h"

namespace llama_gpu::models {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Backend> reference_backend() { return make_reference_backend({}).value(); }

Result<std::unique_ptr<const Model>> load(const formats::GgufWriter& writer, Backend& backend) {
  const test_support::ScratchFile file(".gguf");
  TRY_STATUS(writer.write(file.path()));
  TRY(const std::unique_ptr<formats::Checkpoint> checkpoint, formats::open_checkpoint(file.path()));
  return load_model(*checkpoint, backend);
}

// Feeds a sequence of tokens to a model, in steps of any size.
class Feeder {
 public:
  static constexpr int32_t kBlocks = 4;

  Feeder(const Model& model, Backend& backend)
      : model_(model),
        stream_(backend.device().create_stream()),
        workspace_(backend.device().allocate(model.workspace_bytes(64, 64)).value()) {
    const KvGeometry geometry = {model.config().num_kv_heads, model.config().head_dim, 16};
    const int64_t block_bytes = backend.kv_block_bytes(geometry);
    for (int32_t layer = 0; layer < model.config().num_layers; ++layer) {
      memory_.push_back(backend.device().allocate(static_cast<size_t>(block_bytes * kBlocks)).value());
      kv_.push_back({memory_.back().data(), block_bytes, geometry});
    }
  }

  // Logits of every row of the chunk, one after another.
  std::vector<float> feed(std::span<const TokenId> chunk) {
    std::vector<int32_t> positions(chunk.size());
    std::iota(positions.begin(), positions.end(), position_);
    std::vector<int32_t> output_rows(chunk.size());
    std::iota(output_rows.begin(), output_rows.end(), 0);
    const BlockId blocks[kBlocks] = {2, 0, 3, 1};
    const SequenceRows rows[] = {{0, static_cast<int32_t>(chunk.size()), position_, blocks}};
    const StepLayout layout = {chunk, positions, rows, output_rows};
    const auto logits = model_.forward(*stream_, {.layout = layout, .kv = kv_, .workspace = workspace_});
    const auto host = stream_->host_view(logits).value();
    position_ += static_cast<int32_t>(chunk.size());
    std::vector<float> values;
    for (int64_t r = 0; r < host.rows; ++r)
      values.insert(values.end(), host.row(r).begin(), host.row(r).end());
    return values;
  }

 private:
  const Model& model_;
  std::unique_ptr<Stream> stream_;
  Arena workspace_;
  std::vector<Buffer> memory_;
  std::vector<KvLayer> kv_;
  int32_t position_ = 0;
};

std::vector<float> logits_of(const formats::GgufWriter& writer, std::span<const TokenId> tokens,
                             size_t chunk = 64) {
  const auto backend = reference_backend();
  const auto model = load(writer, *backend).value();
  Feeder feeder(*model, *backend);
  std::vector<float> logits;
  for (size_t i = 0; i < tokens.size(); i += chunk) {
    const auto part = feeder.feed(tokens.subspan(i, std::min(chunk, tokens.size() - i)));
    logits.insert(logits.end(), part.begin(), part.end());
  }
  return logits;
}

const std::vector<TokenId> kTokens = {5, 17,  200, 3,  99, 41, 42, 43, 7, 7,
                                      7, 120, 250, 64, 65, 66, 10, 11, 12};

TEST(Llama, ALogitDependsOnNoLaterTokenAndOnNoChunkBorder) {
  const auto writer = test_support::tiny_llama();
  const std::vector<float> whole = logits_of(writer, kTokens);

  EXPECT_EQ(logits_of(writer, kTokens, 1), whole);
  EXPECT_EQ(logits_of(writer, kTokens, 7), whole);
  const std::vector<float> first = logits_of(writer, std::span(kTokens).first(4));
  EXPECT_TRUE(std::equal(first.begin(), first.end(), whole.begin()));
}

TEST(Llama, EveryTokenBeforeChangesALogit) {
  const auto writer = test_support::tiny_llama();
  const std::vector<float> whole = logits_of(writer, kTokens);
  std::vector<TokenId> changed = kTokens;
  changed[0] = 6;

  const std::vector<float> other = logits_of(writer, changed);

  EXPECT_FALSE(std::equal(whole.end() - 320, whole.end(), other.end() - 320));
}

TEST(Llama, TiedModelsUseTheEmbeddingForLogits) {
  const auto backend = reference_backend();
  const auto tied = load(test_support::tiny_llama({.has_output = false}), *backend).value();
  const auto separate = load(test_support::tiny_llama(), *backend).value();

  EXPECT_EQ(separate->weight_totals().num_parameters - tied->weight_totals().num_parameters, 320 * 64);
  EXPECT_EQ(tied->weight_totals().matmul_bytes_per_token,
            static_cast<int64_t>(tied->weight_totals().packed_bytes));
  EXPECT_LT(separate->weight_totals().matmul_bytes_per_token,
            static_cast<int64_t>(separate->weight_totals().packed_bytes));
}

TEST(Llama, RopeFactorsOfTheFileChangeTheAnswer) {
  auto writer = test_support::tiny_llama();
  const std::vector<float> plain = logits_of(writer, kTokens);
  const std::vector<float> factors = {1, 1, 2, 4, 8, 8, 8, 8};
  const int64_t shape[] = {8};
  writer.add_tensor("rope_freqs.weight", DType::kF32, shape,
                    {reinterpret_cast<const char*>(factors.data()), factors.size() * sizeof(float)});

  EXPECT_NE(logits_of(writer, kTokens), plain);
}

TEST(Llama, EveryDtypeOfTheFileRuns) {
  for (const DType dtype :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1, DType::kQ8_0}) {
    const auto logits = logits_of(test_support::tiny_llama({.dtype = dtype}), kTokens);
    EXPECT_TRUE(std::ranges::all_of(logits, [](float logit) { return std::abs(logit) < 100; }));
  }
}

TEST(Llama, AnArchitectureThatIsNotKnownNamesThoseThatAre) {
  formats::GgufWriter writer;
  writer.add_string("general.architecture", "mamba");
  const auto backend = reference_backend();

  const auto model = load(writer, *backend);

  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::kUnsupportedModel);
  EXPECT_THAT(model.error().message, AllOf(HasSubstr("mamba"), HasSubstr("'llama'")));
}

// What a file with one more tensor gives.
Error error_with_tensor(const std::string& name, int64_t cols) {
  auto writer = test_support::tiny_llama();
  const std::string bytes(static_cast<size_t>(cols) * sizeof(float), '\0');
  writer.add_tensor(name, DType::kF32, std::span(&cols, 1), bytes);
  const auto backend = reference_backend();
  return load(writer, *backend).error();
}

TEST(Llama, TensorsThatNobodyUsesAreRefused) {
  EXPECT_EQ(error_with_tensor("blk.2.attn_norm.weight", 64).code, ErrorCode::kModelInvalid);
  EXPECT_EQ(error_with_tensor("blk.0.attn_q.bias", 64).code, ErrorCode::kUnsupportedModel);
  EXPECT_THAT(error_with_tensor("surprise", 64).message, HasSubstr("'surprise'"));
}

TEST(Llama, ATensorOfAnotherShapeIsRefused) {
  EXPECT_THAT(error_with_tensor("rope_freqs.weight", 9).message, HasSubstr("rope_freqs.weight"));
}

TEST(Llama, RopeFactorsOutOfRangeAreRefused) {
  EXPECT_THAT(error_with_tensor("rope_freqs.weight", 8).message, HasSubstr("expected a number in (0, 1e6]"));
}

TEST(Llama, AFileWithoutTensorsIsRefused) {
  formats::GgufWriter writer;
  writer.add_string("general.architecture", "llama");
  const auto backend = reference_backend();
  EXPECT_THAT(load(writer, *backend).error().message, HasSubstr("token_embd.weight"));
}

// The reference backend with one thing missing.
class PartialBackend : public Backend {
 public:
  std::string_view name() const override { return "partial"; }
  std::string description() const override { return "partial"; }
  Device& device() override { return inner_->device(); }
  const OpTable& ops() const override { return ops_; }
  Result<std::unique_ptr<const Weight>> pack(const HostTensor& tensor) override {
    if (tensor.rows > 1) return Error{ErrorCode::kUnsupportedModel, "no kernel for this type"};
    return inner_->pack(tensor);
  }
  int64_t max_head_dim() const override { return max_head_dim_; }
  int64_t kv_block_bytes(const KvGeometry& geometry) const override {
    return inner_->kv_block_bytes(geometry);
  }
  OpTable& table() { return ops_; }
  void set_max_head_dim(int64_t values) { max_head_dim_ = values; }

 private:
  int64_t max_head_dim_ = 1 << 20;
  std::unique_ptr<Backend> inner_ = reference_backend();
  OpTable ops_ = inner_->ops();
};

TEST(Llama, AnOpThatTheBackendLacksIsNamedAtLoad) {
  PartialBackend backend;
  backend.table().swiglu = nullptr;

  const auto model = load(test_support::tiny_llama(), backend);

  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::kUnsupportedModel);
  EXPECT_THAT(model.error().message, AllOf(HasSubstr("'partial'"), HasSubstr("'swiglu'")));
}

TEST(Llama, HeadsThatTheBackendHasNoRoomForAreRefusedAtLoad) {
  PartialBackend backend;
  backend.set_max_head_dim(1);

  const auto model = load(test_support::tiny_llama(), backend);

  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::kUnsupportedModel);
  EXPECT_THAT(model.error().message, HasSubstr("'partial' takes heads of at most 1"));
}

TEST(Llama, ATypeThatTheBackendLacksNamesTheTensor) {
  PartialBackend backend;
  EXPECT_THAT(load(test_support::tiny_llama(), backend).error().message,
              AllOf(HasSubstr("token_embd.weight"), HasSubstr("no kernel")));
}

TEST(Llama, TheTableOfFamiliesNamesEachOnce) {
  std::vector<std::string_view> names;
  for (const ModelFamily& family : model_families()) names.push_back(family.architecture);
  EXPECT_THAT(names, ::testing::ElementsAre("llama"));
}

}  // namespace
}  // namespace llama_gpu::models
