// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/packed_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "backends/cpu/tile_layout.h"
#include "device/device_fake.h"
#include "tensor/blocks.h"

namespace llama_gpu::cpu {
namespace {

using ::testing::ElementsAreArray;

constexpr DType kAllTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ4_0,
                               DType::kQ4_1, DType::kQ8_0, DType::kQ4_K, DType::kQ6_K};

// Bytes without a not-a-number in any type, so that values compare.
std::vector<std::byte> random_bytes(size_t size) {
  std::mt19937 random(7);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % 0x78);
  return bytes;
}

TEST(PackedWeight, GivesBackEveryRowToTheBit) {
  HostDevice device;
  WeightMemory memory(device);
  for (const DType dtype : kAllTypes) {
    for (const int64_t rows : {1, 2, 16, 35}) {
      const int64_t cols = 512, bytes_per_row = row_bytes(dtype, cols);
      const std::vector<std::byte> bytes = random_bytes(static_cast<size_t>(rows * bytes_per_row));
      const HostTensor tensor = {dtype, rows, cols, bytes};
      PackedWeight weight(tensor,
                          memory.allocate(static_cast<size_t>(PackedWeight::packed_bytes(tensor))).value());
      for (int64_t part = 0; part < weight.num_parts(); ++part) weight.pack_part(tensor, part);

      for (int64_t row = 0; row < rows; ++row) {
        std::vector<float> got(static_cast<size_t>(cols)), want(static_cast<size_t>(cols));
        weight.copy_row(row, got);
        dequantize(dtype,
                   std::span(bytes).subspan(static_cast<size_t>(row * bytes_per_row),
                                            static_cast<size_t>(bytes_per_row)),
                   want);
        ASSERT_THAT(got, ElementsAreArray(want))
            << dtype_info(dtype).name << " row " << row << " of " << rows;
      }
    }
  }
}

TEST(PackedWeight, TakesAsManyBytesAsTheFileForWholeTiles) {
  HostDevice device;
  WeightMemory memory(device);
  for (const DType dtype : kAllTypes) {
    const std::vector<std::byte> bytes(static_cast<size_t>(32 * row_bytes(dtype, 256)));
    const HostTensor tensor = {dtype, 32, 256, bytes};

    const PackedWeight weight(tensor, memory.allocate(bytes.size()).value());

    EXPECT_EQ(PackedWeight::packed_bytes(tensor), std::ssize(bytes));
    EXPECT_EQ(weight.size_bytes(), bytes.size());
    EXPECT_EQ(weight.rows(), 32);
    EXPECT_EQ(weight.cols(), 256);
    EXPECT_EQ(weight.dtype(), dtype);
  }
}

TEST(PackedWeight, KeepsARowAloneAsFloats) {
  HostDevice device;
  WeightMemory memory(device);
  const std::vector<uint16_t> halves = {float_to_half(1), float_to_half(-2), float_to_half(0.5f)};
  const HostTensor tensor = {DType::kF16, 1, 3, std::as_bytes(std::span(halves))};
  PackedWeight weight(tensor, memory.allocate(12).value());

  weight.pack_part(tensor, 0);

  ASSERT_TRUE(weight.is_vector());
  EXPECT_THAT(std::span(weight.vector(), 3), ElementsAreArray({1.0f, -2.0f, 0.5f}));
  EXPECT_EQ(weight.size_bytes(), 12u);
}

TEST(WeightMemory, CutsSmallWeightsFromOneBuffer) {
  FakeDevice device;
  WeightMemory memory(device);
  const WeightMemory::Piece first = memory.allocate(100).value(), second = memory.allocate(100).value();

  EXPECT_EQ(device.allocations(), 1);
  EXPECT_EQ(second.data - first.data, 128);
  EXPECT_EQ(first.owner, second.owner);
}

TEST(WeightMemory, GivesLargeWeightsABufferOfTheirOwn) {
  FakeDevice device;
  WeightMemory memory(device);
  const WeightMemory::Piece small = memory.allocate(100).value();
  const WeightMemory::Piece large = memory.allocate(WeightMemory::kSlabBytes + 1).value();

  EXPECT_NE(small.owner, large.owner);
  EXPECT_GT(large.owner->size_bytes(), WeightMemory::kSlabBytes);
}

TEST(WeightMemory, TakesLessThanASlabWhereThereIsNoMore) {
  FakeDevice device;
  WeightMemory memory(device);
  device.fail_nth_allocation(1);

  EXPECT_EQ(memory.allocate(100).value().owner->size_bytes(), 128u);
}

// Has no memory at all.
class EmptyDevice : public HostDevice {
 public:
  Result<Buffer> allocate(size_t) override { return Error{ErrorCode::kOutOfMemory, "none"}; }
};

TEST(WeightMemory, SaysWhenTheMachineIsFull) {
  EmptyDevice device;
  WeightMemory memory(device);

  EXPECT_EQ(memory.allocate(100).error().code, ErrorCode::kOutOfMemory);
}

}  // namespace
}  // namespace llama_gpu::cpu
