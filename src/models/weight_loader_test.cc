// SPDX-License-Identifier: Apache-2.0
#include "models/weight_loader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>

#include "ops/reference/reference_backend.h"
#include "support/scratch_file.h"
#include "support/tiny_model.h"
#include "tensor/blocks.h"
#include "tensor/dtype.h"

namespace llama_gpu::models {
namespace {

struct ScalePlace {
  DType dtype;
  size_t offset;
  uint16_t infinity;
};

class FindNonfinite : public ::testing::TestWithParam<ScalePlace> {};

TEST_P(FindNonfinite, SeesABadScaleInItsRow) {
  const ScalePlace place = GetParam();
  const auto block_bytes = static_cast<size_t>(dtype_info(place.dtype).block_bytes);
  const int64_t cols = 2 * dtype_info(place.dtype).block_values;
  std::vector<std::byte> bytes(3 * 2 * block_bytes);
  const HostTensor tensor = {place.dtype, 3, cols, bytes};
  EXPECT_EQ(find_nonfinite_row(tensor), std::nullopt);

  std::memcpy(bytes.data() + 5 * block_bytes + place.offset, &place.infinity, sizeof(place.infinity));
  EXPECT_EQ(find_nonfinite_row(tensor), 2);
}

INSTANTIATE_TEST_SUITE_P(
    Types, FindNonfinite,
    ::testing::Values(ScalePlace{DType::kF16, 0, 0x7C00}, ScalePlace{DType::kBF16, 0, 0xFF80},
                      ScalePlace{DType::kF32, 2, 0x7FC0}, ScalePlace{DType::kQ4_0, 0, 0x7C01},
                      ScalePlace{DType::kQ4_1, 0, 0x7C00}, ScalePlace{DType::kQ4_1, 2, 0xFC00},
                      ScalePlace{DType::kQ8_0, 0, 0x7C00}, ScalePlace{DType::kQ4_K, 0, 0x7C00},
                      ScalePlace{DType::kQ4_K, 2, 0x7C00},
                      ScalePlace{DType::kQ6_K, offsetof(BlockQ6_K, d), 0x7E00}));

TEST(FindNonfinite, QuantsThatLookLikeABadScaleAreFine) {
  std::vector<std::byte> bytes(sizeof(BlockQ8_0), std::byte{0x7C});
  bytes[0] = bytes[1] = std::byte{0};
  EXPECT_EQ(find_nonfinite_row({DType::kQ8_0, 1, 32, bytes}), std::nullopt);
}

TEST(WeightLoader, ReadsNoTensorOfAFileThatChangedMeanwhile) {
  const test_support::ScratchFile file(".gguf");
  ASSERT_TRUE(test_support::write_tiny_llama(file.path()).ok());
  const auto checkpoint = formats::open_checkpoint(file.path()).value();
  const auto backend = make_reference_backend({}).value();
  std::vector<TensorSpec> specs;
  for (const formats::TensorInfo& tensor : checkpoint->tensors())
    specs.push_back({tensor.name, tensor.rows(), tensor.cols()});
  WeightLoader loader = WeightLoader::create(*checkpoint, *backend, specs).value();
  ASSERT_TRUE(loader.pack(specs.front().name).ok());

  std::filesystem::resize_file(file.path(), 4096);

  EXPECT_EQ(loader.pack(specs.back().name).error().code, ErrorCode::kModelChanged);
  EXPECT_EQ(loader.floats(specs.back().name).error().code, ErrorCode::kModelChanged);
}

}  // namespace
}  // namespace llama_gpu::models
