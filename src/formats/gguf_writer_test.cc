// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf_header.h"

namespace llama_gpu::formats {
namespace {

using testing::ElementsAre;

TEST(GgufWriter, WritesWhatTheReaderReads) {
  GgufWriter writer;
  writer.add_u32("u32", 7);
  writer.add_u64("u64", uint64_t{1} << 40);
  writer.add_i32("i32", -7);
  writer.add_f32("f32", 0.5f);
  writer.add_bool("bool", true);
  writer.add_string("string", "text");
  writer.add_strings("strings", std::vector<std::string>{"a", ""});
  writer.add_f32s("f32s", std::vector<float>{1, -2});
  writer.add_i32s("i32s", std::vector<int32_t>{3, -4});
  writer.add_raw("u8", GgufType::kUint8, "\xff");
  writer.add_tensor("t", DType::kQ8_0, std::vector<int64_t>{2, 3, 32}, std::string(6 * 34, 'x'));

  const std::string bytes = writer.to_bytes();
  const Result<GgufHeader> header = parse_gguf_header(std::as_bytes(std::span(bytes)));

  ASSERT_TRUE(header.ok()) << header.error().message;
  const Metadata& metadata = header->metadata;
  EXPECT_EQ(metadata.integer("u32", 0, 10).value(), 7);
  EXPECT_EQ(metadata.integer("u64", 0, int64_t{1} << 41).value(), int64_t{1} << 40);
  EXPECT_EQ(metadata.integer("i32", -10, 10).value(), -7);
  EXPECT_EQ(metadata.number("f32", 0, 1).value(), 0.5);
  EXPECT_TRUE(metadata.boolean("bool").value());
  EXPECT_EQ(metadata.string("string").value(), "text");
  EXPECT_THAT(**metadata.strings("strings"), ElementsAre("a", ""));
  EXPECT_THAT(metadata.floats("f32s").value(), ElementsAre(1.0f, -2.0f));
  EXPECT_THAT(metadata.integers("i32s").value(), ElementsAre(3, -4));
  EXPECT_EQ(metadata.integer("u8", 0, 255).value(), 255);
  EXPECT_THAT(header->tensors.at(0).shape, ElementsAre(2, 3, 32));
  EXPECT_EQ(bytes[header->tensors.at(0).file_offset], 'x');
}

TEST(GgufWriter, SaysWhereItCannotWrite) {
  const Status status = GgufWriter().write(testing::TempDir() + "/no/such/folder/model.gguf");

  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kIoFailed);
}

TEST(GgufWriterDeathTest, BytesOfAnotherShapeBreakTheContract) {
  GgufWriter writer;
  EXPECT_DEATH(writer.add_tensor("t", DType::kF32, std::vector<int64_t>{2, 2}, "short"),
               "not those of the shape");
  EXPECT_DEATH(writer.add_tensor("t", DType::kF32, {}, ""), "that many axes");
  EXPECT_DEATH(GgufWriter(3, 7), "no reader takes");
}

}  // namespace
}  // namespace llama_gpu::formats
