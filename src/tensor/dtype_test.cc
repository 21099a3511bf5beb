// SPDX-License-Identifier: Apache-2.0
#include "tensor/dtype.h"

#include <gtest/gtest.h>

namespace llama_gpu {
namespace {

TEST(DType, TheTableStandsInTheOrderOfTheEnum) {
  for (size_t i = 0; i < all_dtypes().size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(all_dtypes()[i].dtype), i);
    EXPECT_EQ(&dtype_info(all_dtypes()[i].dtype), &all_dtypes()[i]);
  }
}

TEST(DType, IsFoundByItsNameAndByItsGgufId) {
  for (const DTypeInfo& info : all_dtypes()) {
    EXPECT_EQ(dtype_from_name(info.name), info.dtype);
    EXPECT_EQ(dtype_from_gguf(info.gguf_id), info.dtype);
  }

  EXPECT_EQ(dtype_from_name("q5_9"), std::nullopt);
  EXPECT_EQ(dtype_from_gguf(4), std::nullopt) << "Q4_2 was removed from ggml";
}

TEST(DType, RowBytesCountsWholeBlocks) {
  EXPECT_EQ(row_bytes(DType::kF32, 3), 12);
  EXPECT_EQ(row_bytes(DType::kBF16, 3), 6);
  EXPECT_EQ(row_bytes(DType::kQ4_1, 576), 360);
  EXPECT_EQ(row_bytes(DType::kQ6_K, 512), 420);
  EXPECT_EQ(row_bytes(DType::kQ4_K, 0), 0);
}

TEST(DTypeDeathTest, ARowOfPartOfABlockBreaksTheContract) {
  EXPECT_DEATH(row_bytes(DType::kQ4_0, 33), "whole blocks");
}

}  // namespace
}  // namespace llama_gpu
