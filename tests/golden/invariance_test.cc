// SPDX-License-Identifier: Apache-2.0
//
// Tiny random models on every backend and instruction set: an answer is the same, token for token, however it
// was computed.
#include <gtest/gtest.h>

#include <string>

#include "golden/engine_runs.h"
#include "support/scratch_file.h"
#include "support/tiny_model.h"

namespace llama_gpu::golden {
namespace {

using engine::EngineOptions;
using engine::GenerationRequest;

struct Variant {
  std::string name;
  std::string backend;
  std::string isa;
  DType dtype;
};

class Invariance : public ::testing::TestWithParam<Variant> {
 protected:
  Invariance() : file_(".gguf") {
    EXPECT_TRUE(test_support::write_tiny_llama(file_.path(), {.dtype = GetParam().dtype}).ok());
  }

  EngineOptions options() const {
    EngineOptions options;
    options.model_path = file_.path();
    options.backend = GetParam().backend;
    options.isa = GetParam().isa;
    return options;
  }

  static std::vector<TokenId> prompt(size_t number, size_t num_tokens) {
    std::vector<TokenId> tokens;
    for (size_t i = 0; i < num_tokens; ++i)
      tokens.push_back(static_cast<TokenId>(3 + (i * 31 + number * 7) % 250));
    return tokens;
  }
  static GenerationRequest request(size_t number) {
    return greedy_request(number, prompt(number, 5 + number * 9 % 60), kTokens);
  }
  std::vector<TokenId> answer_alone(const EngineOptions& options, size_t number) const {
    return run_engine(options, {request(number)}).answers[0].tokens;
  }
  static constexpr int64_t kTokens = 24;

  test_support::ScratchFile file_;
};

TEST_P(Invariance, ChunksThreadsAndRestartsChangeNothing) {
  const std::vector<TokenId> expected = answer_alone(options(), 5);
  ASSERT_EQ(expected.size(), static_cast<size_t>(kTokens));
  EXPECT_EQ(answer_alone(options(), 5), expected) << "a new engine";

  for (const int32_t step_tokens : {1, 7, 64}) {
    EngineOptions chunked = options();
    chunked.step_tokens = step_tokens;
    EXPECT_EQ(answer_alone(chunked, 5), expected) << "chunks of " << step_tokens;
  }
  for (const int32_t num_threads : {1, 2, 3}) {
    EngineOptions threaded = options();
    threaded.num_threads = num_threads;
    EXPECT_EQ(answer_alone(threaded, 5), expected) << num_threads << " threads";
  }
}

TEST_P(Invariance, NeighboursAndPreemptionChangeNothing) {
  std::vector<GenerationRequest> requests;
  for (size_t i = 0; i < 17; ++i) requests.push_back(request(i));
  EngineOptions small = options();
  small.context_tokens = 128;
  small.kv_tokens = 256;

  const EngineRun among_others = run_engine(options(), requests);
  const EngineRun preempted = run_engine(small, requests);

  EXPECT_GT(preempted.stats.preemptions, 0U);
  for (size_t i = 0; i < 17; i += 4) {
    const std::vector<TokenId> expected = answer_alone(options(), i);
    EXPECT_EQ(among_others.answers[i].tokens, expected) << i;
    EXPECT_EQ(preempted.answers[i].tokens, expected) << i;
  }
}

// Every backend and instruction set that this machine has.
std::vector<Variant> variants() {
  std::vector<Variant> variants = {{"Reference", "reference", "", DType::kQ8_0}};
  for (const char* isa : {"scalar", "avx2", "avx512"}) {
    if (!all_backends().open("cpu", {.num_threads = 1, .isa = isa}).ok()) continue;
    for (const DType dtype : {DType::kF16, DType::kQ4_1, DType::kQ8_0}) {
      variants.push_back({std::string(isa) + "_" + std::string(dtype_info(dtype).name), "cpu", isa, dtype});
    }
  }
  return variants;
}
INSTANTIATE_TEST_SUITE_P(Backends, Invariance, ::testing::ValuesIn(variants()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace llama_gpu::golden
