// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/cpu_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/cpu/isa_levels.h"

namespace llama_gpu {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

TEST(CpuBackend, OpensOnTheBestInstructionSetByDefault) {
  const auto backend = make_cpu_backend({.num_threads = 1});

  ASSERT_TRUE(backend.ok());
  EXPECT_EQ((*backend)->name(), "cpu");
  EXPECT_EQ((*backend)->description(), "cpu " + std::string(cpu::supported_isas().back()) + ", 1 thread");
}

TEST(CpuBackend, OpensOnTheInstructionSetThatIsAskedFor) {
  for (const std::string_view isa : cpu::supported_isas()) {
    const auto backend = make_cpu_backend({.num_threads = 2, .isa = std::string(isa)});

    ASSERT_TRUE(backend.ok());
    EXPECT_EQ((*backend)->description(), "cpu " + std::string(isa) + ", 2 threads");
  }
}

TEST(CpuBackend, NamesTheInstructionSetsThatAreThereWhenAskedForAnother) {
  const auto backend = make_cpu_backend({.isa = "neon"});

  ASSERT_FALSE(backend.ok());
  EXPECT_EQ(backend.error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(backend.error().param, "isa");
  EXPECT_THAT(backend.error().message, HasSubstr("'neon'"));
  EXPECT_THAT(backend.error().message, HasSubstr("'scalar'"));
}

TEST(CpuBackend, AlwaysHasPlainKernels) { EXPECT_THAT(cpu::supported_isas(), Contains("scalar")); }

TEST(CpuBackend, HasEveryOp) {
  const auto backend = make_cpu_backend({.num_threads = 1}).value();
  const OpTable& ops = backend->ops();

  EXPECT_TRUE(ops.begin_step && ops.embed && ops.rms_norm && ops.linear && ops.rope_angles && ops.rope &&
              ops.kv_write && ops.attention && ops.swiglu && ops.gather_rows);
}

TEST(CpuBackend, RefusesAWeightThatDoesNotFitTheMemory) {
  const auto backend = make_cpu_backend({.num_threads = 1, .max_step_rows = 1 << 20}).value();
  const std::vector<float> values(1 << 22);

  // Scratch memory for 2^20 rows of 2^22 columns is more than any machine has.
  const auto weight = backend->pack({DType::kF32, 1, 1 << 22, std::as_bytes(std::span(values))});

  ASSERT_FALSE(weight.ok());
  EXPECT_EQ(weight.error().code, ErrorCode::kOutOfMemory);
}

TEST(CpuBackend, StoresKeysAndValuesAsHalfFloatsInWholeVectors) {
  const auto backend = make_cpu_backend({.num_threads = 1}).value();

  EXPECT_EQ(backend->kv_block_bytes({.num_kv_heads = 3, .head_dim = 64, .block_tokens = 16}),
            2 * 3 * 64 * 16 * 2);
  EXPECT_EQ(backend->kv_block_bytes({.num_kv_heads = 1, .head_dim = 20, .block_tokens = 32}),
            32 * (20 + 32) * 2);
}

TEST(CpuBackendDeathTest, BlocksOfPartialVectorsAreABrokenInvariant) {
  const auto backend = make_cpu_backend({.num_threads = 1}).value();

  EXPECT_DEATH(backend->kv_block_bytes({.num_kv_heads = 1, .head_dim = 64, .block_tokens = 8}), "16");
}

}  // namespace
}  // namespace llama_gpu
