// SPDX-License-Identifier: Apache-2.0
#include "device/host_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "device/arena.h"
#include "device/device_fake.h"

namespace llama_gpu {
namespace {

using ::testing::HasSubstr;

bool is_zeroed(const Buffer& buffer) {
  return std::all_of(buffer.data(), buffer.data() + buffer.size_bytes(),
                     [](std::byte b) { return b == std::byte{0}; });
}

TEST(HostDevice, GivesZeroedMemoryAlignedForVectorsAtAnySize) {
  HostDevice device;
  for (size_t size_bytes :
       {size_t{1}, size_t{63}, size_t{4096}, size_t{4097}, HostDevice::kHugePageBytes + 5}) {
    Result<Buffer> buffer = device.allocate(size_bytes);

    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(buffer->size_bytes(), size_bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % Arena::kAlignment, 0u);
    EXPECT_TRUE(is_zeroed(*buffer));
    std::fill_n(buffer->data(), size_bytes, std::byte{1});
  }
}

TEST(HostDevice, AlignsLargeBuffersToHugePages) {
  HostDevice device;
  Result<Buffer> buffer = device.allocate(HostDevice::kHugePageBytes);

  ASSERT_TRUE(buffer.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % HostDevice::kHugePageBytes, 0u);
}

TEST(HostDevice, GivesAnEmptyBufferForNoBytes) {
  HostDevice device;
  Result<Buffer> buffer = device.allocate(0);

  ASSERT_TRUE(buffer.ok());
  EXPECT_EQ(buffer->size_bytes(), 0u);
}

TEST(HostDevice, RefusesMoreThanTheMachineHasWithBothFigures) {
  HostDevice device;
  for (size_t size_bytes : {size_t{1} << 50, ~size_t{0}, ~size_t{0} / 2 - 10}) {
    Result<Buffer> buffer = device.allocate(size_bytes);

    ASSERT_FALSE(buffer.ok());
    EXPECT_EQ(buffer.error().code, ErrorCode::kOutOfMemory);
    EXPECT_THAT(buffer.error().message, HasSubstr(std::to_string(size_bytes)));
    EXPECT_THAT(buffer.error().message, HasSubstr("free"));
  }
}

TEST(HostDevice, KnowsTheFreeMemory) {
  ASSERT_TRUE(free_memory_bytes().has_value());
  EXPECT_GT(*free_memory_bytes(), 0u);
}

TEST(HostDevice, CopiesAndViewsWithoutATransfer) {
  HostDevice device;
  Buffer buffer = device.allocate(3 * sizeof(float)).value();
  const std::array<float, 3> host = {1, 2, 3};
  const std::unique_ptr<Stream> stream = device.create_stream();

  ASSERT_TRUE(device.copy_to_device(std::as_bytes(std::span(host)), buffer.data()).ok());
  const MatrixView<const float> rows(reinterpret_cast<const float*>(buffer.data()), 1, 3);

  EXPECT_TRUE(stream->wait().ok());
  EXPECT_EQ(stream->host_view(rows)->data, rows.data);
  EXPECT_EQ(rows.row(0)[2], 3.0f);
  EXPECT_TRUE(device.is_host_memory());
  EXPECT_EQ(device.name(), "host");
}

TEST(Buffer, MovesItsMemoryAndFreesItOnce) {
  HostDevice device;
  Buffer first = device.allocate(64).value();
  std::byte* data = first.data();

  Buffer second = std::move(first);
  Buffer third = device.allocate(64).value();
  third = std::move(second);
  Buffer& itself = third;
  third = std::move(itself);

  EXPECT_EQ(third.data(), data);
}

TEST(Arena, HandsOutAlignedRowsAndStartsAgainAfterReset) {
  HostDevice device;
  const size_t size_bytes = Arena::matrix_bytes<float>(3, 5) + Arena::matrix_bytes<float>(1, 1);
  Arena arena(device.allocate(size_bytes).value());

  const MatrixView<float> a = arena.matrix<float>(3, 5);
  const MatrixView<float> b = arena.matrix<float>(1, 1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data) % Arena::kAlignment, 0u);
  EXPECT_GE(b.data, a.data + 15);

  arena.reset();
  EXPECT_EQ((arena.matrix<float>(3, 5).data), a.data);
}

TEST(ArenaDeathTest, RunningOutIsABrokenInvariant) {
  HostDevice device;
  Arena arena(device.allocate(64).value());
  EXPECT_DEATH((arena.matrix<float>(1, 17)), "arena");
}

TEST(FakeDevice, FailsTheNthAllocationOnly) {
  FakeDevice device;
  device.fail_nth_allocation(2);

  EXPECT_TRUE(device.allocate(8).ok());
  EXPECT_EQ(device.allocate(8).error().code, ErrorCode::kOutOfMemory);
  EXPECT_TRUE(device.allocate(8).ok());
  EXPECT_EQ(device.allocations(), 3);
}

}  // namespace
}  // namespace llama_gpu
