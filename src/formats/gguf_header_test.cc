// SPDX-License-Identifier: Apache-2.0
#include "formats/gguf_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>

#include "base/checked_math.h"
#include "formats/gguf_format.h"
#include "formats/gguf_writer.h"
#include "support/gguf_parts.h"

namespace llama_gpu::formats {
namespace {

using test_support::gguf_array;
using test_support::gguf_declaration;
using test_support::gguf_entry;
using test_support::gguf_string;
using test_support::GgufParts;
using test_support::le;
using testing::ElementsAre;
using testing::HasSubstr;

Result<GgufHeader> parse(const std::string& bytes) {
  return parse_gguf_header(std::as_bytes(std::span(bytes)));
}
Result<GgufHeader> parse(const GgufParts& parts) { return parse(parts.bytes()); }

// Two tensors: 4 x 32 of Q4_0 (72 bytes, padded to 96), 8 of F32.
GgufParts two_tensors() {
  return {.entries = {gguf_entry("general.architecture", GgufType::kString, gguf_string("llama"))},
          .declarations = {gguf_declaration("a", {32, 4}, 2, 0), gguf_declaration("b", {8}, 0, 96)},
          .data = std::string(128, '\0')};
}

GgufParts one_entry(std::string entry) { return {.entries = {std::move(entry)}}; }

GgufParts one_tensor(std::string declaration) {
  return {.declarations = {std::move(declaration)}, .data = std::string(4096, '\0')};
}

// A file that must be refused, and how.
struct BadFile {
  std::string name;
  std::string bytes;
  ErrorCode code;
  std::string message;
};

void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();
constexpr auto kInvalid = ErrorCode::kModelInvalid;
constexpr auto kTruncated = ErrorCode::kModelTruncated;
constexpr auto kUnsupported = ErrorCode::kUnsupportedModel;

std::vector<BadFile> bad_beginnings() {
  return {
      {"Empty", "", kTruncated, "'GGUF' needs 4 bytes"},
      {"Magic", GgufParts{.magic = "GGML"}.bytes(), kInvalid, "begins with 'GGML', expected 'GGUF'"},
      {"BigEndian", GgufParts{.version = 0x03000000}.bytes(), kUnsupported, "big-endian"},
      {"Version0", GgufParts{.version = 0}.bytes(), kUnsupported, "GGUF version 0, expected 2 or 3"},
      {"Version1", GgufParts{.version = 1}.bytes(), kUnsupported, "GGUF version 1, expected 2 or 3"},
      {"Version4", GgufParts{.version = 4}.bytes(), kUnsupported, "GGUF version 4, expected 2 or 3"},
      {"TensorsHuge", GgufParts{.num_tensors = kHuge}.bytes(), kInvalid, "18446744073709551615 tensors"},
      {"TensorsHalf", GgufParts{.num_tensors = kHuge / 2 + 1}.bytes(), kInvalid,
       "9223372036854775808 tensors"},
      {"TensorsMoreThanBytes", GgufParts{.num_tensors = 1000}.bytes(), kTruncated,
       "1000 tensors are declared"},
      {"EntriesHuge", GgufParts{.num_entries = kHuge}.bytes(), kInvalid,
       "18446744073709551615 metadata entries"},
      {"EntriesOverCap", GgufParts{.num_entries = 65537}.bytes(), kInvalid, "expected at most 65536"},
      {"EntriesMoreThanBytes", GgufParts{.num_entries = 9}.bytes(), kTruncated, "9 metadata entries"},
  };
}

std::vector<BadFile> bad_entries() {
  const auto of = [](std::string entry) { return one_entry(std::move(entry)).bytes(); };
  const auto u32 = [](uint32_t value) { return le(value); };
  const std::string twice = gguf_entry("k", GgufType::kUint32, u32(1));
  return {
      {"KeyLengthHuge", of(le(kHuge) + std::string(64, 'k')), kInvalid,
       "a metadata key is 18446744073709551615 bytes"},
      {"KeyTooLong", of(gguf_entry(std::string(65536, 'k'), GgufType::kUint8, "x")), kInvalid,
       "expected at most 65535"},
      {"KeyPastTheEnd", of(le(uint64_t{1000}) + std::string(64, 'k')), kTruncated,
       "a metadata key needs 1000 bytes"},
      {"KeyEmpty", of(gguf_entry("", GgufType::kUint64, le(uint64_t{0}))), kInvalid,
       "a metadata key is empty"},
      {"KeyWithNul", of(gguf_entry(std::string("a\0b", 3), GgufType::kUint8, "x")), kInvalid,
       "is not UTF-8 text without NUL"},
      {"KeyNotUtf8", of(gguf_entry("a\xff", GgufType::kUint8, "x")), kInvalid, "'a\\xff' is not UTF-8"},
      {"KeyTwice", GgufParts{.entries = {twice, twice}}.bytes(), kInvalid, "metadata key 'k' stands twice"},
      {"Type13", of(gguf_entry("k", 13, std::string(8, '\0'))), kInvalid,
       "'k': the value's type is 13, expected 0 to 12"},
      {"TypeHuge", of(gguf_entry("k", ~0u, std::string(8, '\0'))), kInvalid,
       "the value's type is 4294967295"},
      {"Bool2", of(gguf_entry("k", GgufType::kBool, "\2")), kInvalid,
       "a boolean is stored as 2, expected 0 or 1"},
      {"StringHuge", of(gguf_entry("k", GgufType::kString, le(kHuge))), kInvalid,
       "'k': the string is 18446744073709551615 bytes"},
      {"StringOverCap", of(gguf_entry("k", GgufType::kString, le((uint64_t{64} << 20) + 1))), kInvalid,
       "expected at most 67108864"},
      {"StringPastTheEnd", of(gguf_entry("k", GgufType::kString, le(uint64_t{9}))), kTruncated,
       "'k': the string needs 9 bytes"},
      {"ArrayOfArrays",
       of(gguf_entry("k", GgufType::kArray, gguf_array(GgufType::kArray, 1, std::string(12, '\0')))),
       kInvalid, "an array of arrays, which is not supported"},
      {"ArrayOfType13", of(gguf_entry("k", GgufType::kArray, le(13u) + le(uint64_t{1}) + "x")), kInvalid,
       "the type of the array's values is 13"},
      {"ArrayHuge", of(gguf_entry("k", GgufType::kArray, gguf_array(GgufType::kUint32, kHuge, ""))), kInvalid,
       "18446744073709551615 values are declared"},
      {"ArrayOf2To40",
       of(gguf_entry("k", GgufType::kArray, gguf_array(GgufType::kUint8, uint64_t{1} << 40, ""))), kInvalid,
       "1099511627776 values"},
      {"StringsOf2To40",
       of(gguf_entry("k", GgufType::kArray, gguf_array(GgufType::kString, uint64_t{1} << 40, ""))), kInvalid,
       "1099511627776 strings"},
      {"BoolsOf2To40",
       of(gguf_entry("k", GgufType::kArray, gguf_array(GgufType::kBool, uint64_t{1} << 40, ""))), kInvalid,
       "1099511627776 values"},
      {"ArrayPastTheEnd",
       of(gguf_entry("k", GgufType::kArray, gguf_array(GgufType::kUint64, 2, std::string(15, '\0')))),
       kTruncated, "2 values are declared, the 15 bytes behind cannot hold them"},
      {"BoolArrayOf2", of(gguf_entry("k", GgufType::kArray, gguf_array(GgufType::kBool, 2, "\1\2"))),
       kInvalid, "stored as 2"},
      {"StringOfArrayHuge",
       of(gguf_entry("k", GgufType::kArray, gguf_array(GgufType::kString, 1, le(kHuge)))), kInvalid,
       "a string of the array is 18446744073709551615 bytes"},
  };
}

std::vector<BadFile> bad_alignments() {
  const auto of = [](GgufType type, std::string value) {
    return one_entry(gguf_entry("general.alignment", type, value)).bytes();
  };
  std::vector<BadFile> files = {
      {"AlignmentI32", of(GgufType::kInt32, le(32)), kInvalid,
       "'general.alignment': the value's type is 5, expected 4"},
      {"AlignmentU64", of(GgufType::kUint64, le(uint64_t{32})), kInvalid, "type is 10, expected 4"},
      {"AlignmentString", of(GgufType::kString, gguf_string("32")), kInvalid, "type is 8, expected 4"},
      {"AlignmentArray", of(GgufType::kArray, gguf_array(GgufType::kUint32, 1, le(32))), kInvalid,
       "type is 9, expected 4"},
  };
  for (const uint32_t value : {0u, 1u, 3u, (1u << 20) + 1, 1u << 31}) {
    files.push_back({"Alignment" + std::to_string(value), of(GgufType::kUint32, le(value)), kInvalid,
                     "is the integer " + std::to_string(value) + ", expected an integer from 8 to 1048576"});
  }
  files.push_back(
      {"Alignment13", of(GgufType::kUint32, le(13u)), kInvalid, "is 13, expected a power of two"});
  return files;
}

std::vector<BadFile> bad_declarations() {
  const auto of = [](std::string declaration) { return one_tensor(std::move(declaration)).bytes(); };
  const std::string many_axes = gguf_string("t") + le(~0u) + std::string(64, '\0');
  std::vector<BadFile> files = {
      {"NameEmpty", of(gguf_declaration("", {32}, 0, 0)), kInvalid, "a tensor's name is empty"},
      {"NameOf64Bytes", of(gguf_declaration(std::string(64, 'n'), {32}, 0, 0)), kInvalid,
       "a tensor's name is 64 bytes long, expected at most 63"},
      {"NameNotUtf8", of(gguf_declaration("\xc0", {32}, 0, 0)), kInvalid, "'\\xc0' is not UTF-8"},
      {"NoAxes", of(gguf_declaration("t", {}, 0, 0)), kInvalid,
       "tensor 't': 0 axes are declared, expected 1 to 4"},
      {"FiveAxes", of(gguf_declaration("t", {1, 1, 1, 1, 1}, 0, 0)), kInvalid, "5 axes"},
      {"ManyAxes", of(many_axes), kInvalid, "4294967295 axes"},
      {"AxisNegative", of(gguf_declaration("t", {kHuge}, 0, 0)), kInvalid, "an axis has length -1"},
      {"AxisOf2To63", of(gguf_declaration("t", {uint64_t{1} << 63}, 0, 0)), kInvalid,
       "an axis has length -9223372036854775808"},
      {"ProductOverflows", of(gguf_declaration("t", {uint64_t{1} << 32, uint64_t{1} << 31}, 0, 0)), kInvalid,
       "multiply to more than 2^63"},
      {"ProductWrapsToSmall", of(gguf_declaration("t", {(uint64_t{1} << 42) + 1, uint64_t{1} << 22}, 2, 0)),
       kInvalid, "multiply to more than 2^63"},
      {"EmptyAxisHidesOverflow", of(gguf_declaration("t", {uint64_t{1} << 62, uint64_t{1} << 62, 0}, 0, 0)),
       kInvalid, "multiply to more than 2^63"},
      {"BytesOverflow", of(gguf_declaration("t", {uint64_t{1} << 62}, 0, 0)), kInvalid,
       "its size in bytes is more than 2^63"},
      {"BytesOfRowsOverflow", of(gguf_declaration("t", {32, uint64_t{1} << 57}, 0, 0)), kInvalid,
       "more than 2^63"},
      {"RowOfPartOfABlock", of(gguf_declaration("t", {33, 4}, 2, 0)), kInvalid,
       "a row has 33 values, expected a multiple of 32 for q4_0"},
      {"TypeRemoved", of(gguf_declaration("t", {32}, 4, 0)), kInvalid,
       "number type 4 is unknown, or was removed"},
      {"TypeUnknown", of(gguf_declaration("t", {32}, 999, 0)), kInvalid, "number type 999"},
      {"TypeNotRead", of(gguf_declaration("t", {32}, 6, 0)), kUnsupported, "its numbers are stored as Q5_0"},
      {"DeclarationCut",
       GgufParts{.declarations = {gguf_declaration("t", {32}, 0, 0).substr(0, 20)}, .num_tensors = 1}.bytes(),
       kTruncated, "1 tensors are declared, the 20 bytes behind"},
      {"TwoMissing",
       GgufParts{.declarations = {gguf_declaration("a-long-name-for-a-tensor", {32, 1, 1}, 0, 0)},
                 .num_tensors = 2}
           .bytes(),
       kTruncated, "a tensor's name needs 8 bytes"},
  };
  return files;
}

std::vector<BadFile> bad_places() {
  const auto of = [](uint64_t second_offset, size_t data_bytes = 4096) {
    return GgufParts{
        .declarations = {gguf_declaration("a", {32, 4}, 2, 0), gguf_declaration("b", {8}, 0, second_offset)},
        .data = std::string(data_bytes, '\0')}
        .bytes();
  };
  const std::string twice = gguf_declaration("t", {8}, 0, 0);
  return {
      {"OffsetUnaligned", of(97), kInvalid,
       "tensor 'b': its data start at offset 97, expected a multiple of 32"},
      {"OffsetOverlaps", of(64), kInvalid, "offset 64, expected 96: it overlaps another tensor"},
      {"OffsetShared", of(0), kInvalid, "it overlaps another tensor"},
      {"OffsetLeavesAHole", of(128), kInvalid, "offset 128, expected 96: there is a hole"},
      {"OffsetPastTheEnd", of(1 << 20), kInvalid, "there is a hole before it"},
      {"OffsetHuge", of(kHuge - 31), kInvalid, "there is a hole before it"},
      {"Backwards",
       GgufParts{.declarations = {gguf_declaration("a", {8}, 0, 32), gguf_declaration("b", {8}, 0, 0)},
                 .data = std::string(64, '\0')}
           .bytes(),
       kInvalid, "tensor 'a'"},
      {"DataOneByteShort", of(96, 127), kTruncated, "tensor 'b': its 32 bytes start at byte"},
      {"NoData", of(96, 0), kTruncated, "tensor 'a': its 72 bytes start at byte"},
      {"EmptyTensorPastTheEnd", GgufParts{.declarations = {gguf_declaration("t", {0}, 0, 0)}}.bytes(),
       kTruncated, "its 0 bytes start at byte"},
      {"NameTwice", GgufParts{.declarations = {twice, twice}, .data = std::string(64, '\0')}.bytes(),
       kInvalid, "tensor 't' stands twice"},
  };
}

class BadGguf : public testing::TestWithParam<BadFile> {};

TEST_P(BadGguf, IsRefusedByName) {
  const Result<GgufHeader> header = parse(GetParam().bytes);

  ASSERT_FALSE(header.ok());
  EXPECT_EQ(header.error().code, GetParam().code) << header.error().message;
  EXPECT_THAT(header.error().message, HasSubstr(GetParam().message));
  EXPECT_TRUE(header.error().byte_offset.has_value());
  EXPECT_LE(header.error().byte_offset.value_or(0), GetParam().bytes.size());
  EXPECT_FALSE(header.error().hint.empty());
}

const auto kName = [](const auto& file) { return file.param.name; };
INSTANTIATE_TEST_SUITE_P(Beginnings, BadGguf, testing::ValuesIn(bad_beginnings()), kName);
INSTANTIATE_TEST_SUITE_P(Entries, BadGguf, testing::ValuesIn(bad_entries()), kName);
INSTANTIATE_TEST_SUITE_P(Alignments, BadGguf, testing::ValuesIn(bad_alignments()), kName);
INSTANTIATE_TEST_SUITE_P(Declarations, BadGguf, testing::ValuesIn(bad_declarations()), kName);
INSTANTIATE_TEST_SUITE_P(Places, BadGguf, testing::ValuesIn(bad_places()), kName);

TEST(GgufHeader, PlacesTensorsAndTurnsTheirShapes) {
  const Result<GgufHeader> header = parse(two_tensors());

  ASSERT_TRUE(header.ok()) << header.error().message;
  const uint64_t data_start = two_tensors().bytes().size() - 128;
  ASSERT_EQ(header->tensors.size(), 2u);
  EXPECT_EQ(header->tensors[0].name, "a");
  EXPECT_EQ(header->tensors[0].dtype, DType::kQ4_0);
  EXPECT_THAT(header->tensors[0].shape, ElementsAre(4, 32));
  EXPECT_EQ(header->tensors[0].file_offset, data_start);
  EXPECT_EQ(header->tensors[0].size_bytes, 72u);
  EXPECT_EQ(header->tensors[1].file_offset, data_start + 96);
  EXPECT_EQ(header->trailing_bytes, 0u);
  EXPECT_EQ(header->alignment, 32u);
}

TEST(GgufHeader, ReadsBothVersionsAlike) {
  GgufParts parts = two_tensors();
  parts.version = 2;

  const Result<GgufHeader> header = parse(parts);

  ASSERT_TRUE(header.ok()) << header.error().message;
  EXPECT_EQ(header->version, 2u);
  EXPECT_EQ(header->metadata.string("general.architecture").value(), "llama");
}

// A type of metadata value, and the smallest and largest of its kind.
template <typename T, typename Wide>
void expect_number_round_trips(GgufType type, T value, Wide widened) {
  const Result<GgufHeader> header = parse(
      GgufParts{.entries = {gguf_entry("one", type, le(value)),
                            gguf_entry("two", GgufType::kArray, gguf_array(type, 2, le(T{1}) + le(value)))}});

  ASSERT_TRUE(header.ok()) << header.error().message;
  EXPECT_EQ(std::get<Wide>(header->metadata.find("one")->value), widened);
  const auto& array = std::get<MetadataArray>(header->metadata.find("two")->value);
  EXPECT_THAT(std::get<std::vector<Wide>>(array), ElementsAre(Wide{1}, widened));
}

TEST(GgufHeader, ReadsNumbersOfEveryTypeAloneAndInArrays) {
  expect_number_round_trips<uint8_t>(GgufType::kUint8, 255, uint64_t{255});
  expect_number_round_trips<int8_t>(GgufType::kInt8, -128, int64_t{-128});
  expect_number_round_trips<uint16_t>(GgufType::kUint16, 65535, uint64_t{65535});
  expect_number_round_trips<int16_t>(GgufType::kInt16, -32768, int64_t{-32768});
  expect_number_round_trips<uint32_t>(GgufType::kUint32, ~0u, uint64_t{~0u});
  expect_number_round_trips<int32_t>(GgufType::kInt32, -5, int64_t{-5});
  expect_number_round_trips<float>(GgufType::kFloat32, 0.1f, double{0.1f});
  expect_number_round_trips<uint64_t>(GgufType::kUint64, kHuge, kHuge);
  expect_number_round_trips<int64_t>(GgufType::kInt64, std::numeric_limits<int64_t>::min(),
                                     std::numeric_limits<int64_t>::min());
  expect_number_round_trips<double>(GgufType::kFloat64, 0.1, 0.1);
}

TEST(GgufHeader, ReadsBooleansAndStringsOfAnyBytes) {
  const std::string bytes("\0\xff\n", 3);
  const Result<GgufHeader> header = parse(GgufParts{
      .entries = {
          gguf_entry("true", GgufType::kBool, "\1"),
          gguf_entry("text", GgufType::kString, gguf_string(bytes)),
          gguf_entry("bools", GgufType::kArray, gguf_array(GgufType::kBool, 2, std::string("\1\0", 2))),
          gguf_entry("texts", GgufType::kArray,
                     gguf_array(GgufType::kString, 2, gguf_string(bytes) + gguf_string(""))),
          gguf_entry("none", GgufType::kArray, gguf_array(GgufType::kString, 0, ""))}});

  ASSERT_TRUE(header.ok()) << header.error().message;
  EXPECT_TRUE(header->metadata.boolean("true").value());
  EXPECT_EQ(header->metadata.string("text").value(), bytes);
  EXPECT_THAT(**header->metadata.strings("texts"), ElementsAre(bytes, ""));
  EXPECT_TRUE((*header->metadata.strings("none"))->empty());
  const auto& bools = std::get<MetadataArray>(header->metadata.find("bools")->value);
  EXPECT_THAT(std::get<std::vector<bool>>(bools), ElementsAre(true, false));
}

TEST(GgufHeader, AValueKnowsWhereItStands) {
  const Result<GgufHeader> header = parse(one_entry(gguf_entry("key", GgufType::kUint8, "\7")));

  EXPECT_EQ(header->metadata.find("key")->byte_offset, 24u + 8 + 3 + 4);
}

TEST(GgufHeader, TakesEveryAlignmentThatTheFormatAllows) {
  for (uint32_t alignment = 8; alignment <= 1 << 20; alignment *= 2) {
    GgufWriter writer(3, alignment);
    writer.add_tensor("a", DType::kQ4_0, std::vector<int64_t>{1, 32}, std::string(18, '\0'));
    writer.add_tensor("b", DType::kF32, std::vector<int64_t>{1}, std::string(4, '\0'));

    const Result<GgufHeader> header = parse(writer.to_bytes());

    ASSERT_TRUE(header.ok()) << header.error().message;
    EXPECT_EQ(header->tensors[0].file_offset % alignment, 0u);
    EXPECT_EQ(header->tensors[1].file_offset - header->tensors[0].file_offset,
              *checked_align_up(18, alignment));
  }
}

TEST(GgufHeader, CountsBytesBehindTheLastTensor) {
  GgufParts parts = two_tensors();
  parts.data += "PK\x05\x06";

  EXPECT_EQ(parse(parts)->trailing_bytes, 4u);
}

TEST(GgufHeader, TakesATensorThatIsEmptyAndALastOneWithoutPadding) {
  const Result<GgufHeader> header = parse(
      GgufParts{.declarations = {gguf_declaration("none", {32, 0}, 0, 0), gguf_declaration("b", {1}, 0, 0)},
                .data = std::string(4, '\0')});

  ASSERT_TRUE(header.ok()) << header.error().message;
  EXPECT_EQ(header->tensors[0].size_bytes, 0u);
  EXPECT_EQ(header->tensors[1].size_bytes, 4u);
}

TEST(GgufHeader, TakesAFileOfMetadataOnly) {
  const Result<GgufHeader> header = parse(one_entry(gguf_entry("key", GgufType::kUint8, "\7")));

  ASSERT_TRUE(header.ok()) << header.error().message;
  EXPECT_TRUE(header->tensors.empty());
  EXPECT_EQ(header->trailing_bytes, 0u);
}

TEST(GgufHeader, EveryWayToCutAFileShortIsNamedSo) {
  const std::string whole = two_tensors().bytes();

  for (size_t size = 0; size < whole.size(); ++size) {
    const Result<GgufHeader> header = parse(whole.substr(0, size));
    ASSERT_FALSE(header.ok()) << size;
    ASSERT_EQ(header.error().code, kTruncated) << size << ": " << header.error().message;
    ASSERT_LE(header.error().byte_offset.value(), size);
  }
}

TEST(GgufHeader, AHeaderWithoutEndIsRefused) {
  // Strings of 48 MiB until the bound is passed, then enough that the file would go on.
  const std::string large = gguf_string(std::string(48 << 20, 'x'));
  GgufParts parts;
  for (const char* key : {"a", "b", "c", "d"})
    parts.entries.push_back(gguf_entry(key, GgufType::kString, large));

  const Result<GgufHeader> header = parse(parts);

  ASSERT_FALSE(header.ok());
  EXPECT_EQ(header.error().code, kInvalid);
  EXPECT_THAT(header.error().message, HasSubstr("the header does not end within 134217728 bytes"));
}

// Numbers at which sums and products wrap, and small ones that combine to them.
uint64_t awkward_number(std::mt19937_64& random) {
  const uint64_t power = uint64_t{1} << random() % 64;
  switch (random() % 4) {
    case 0:
      return power;
    case 1:
      return power - 1;
    case 2:
      return power + random() % 3;
    default:
      return random() % 64;
  }
}

// What a correct reader must find: the exact sizes, in wider numbers.
bool fits_exactly(const TensorInfo& info, uint64_t file_bytes) {
  __extension__ using Wide = unsigned __int128;
  Wide values = 1;
  for (const int64_t length : info.shape) values *= static_cast<Wide>(length);
  const DTypeInfo& type = dtype_info(info.dtype);
  const Wide size = values / static_cast<Wide>(type.block_values) * static_cast<Wide>(type.block_bytes);
  return size == info.size_bytes && Wide{info.file_offset} + size <= file_bytes;
}

TEST(GgufHeader, RandomDeclarationsNeverReachOutsideTheFile) {
  std::mt19937_64 random(7);
  int num_accepted = 0;
  for (int round = 0; round < 100'000; ++round) {
    GgufParts parts{.data = std::string(random() % 256, '\0')};
    for (uint64_t i = 0, count = 1 + random() % 3; i < count; ++i) {
      std::vector<uint64_t> lengths(1 + random() % 4);
      for (uint64_t& length : lengths) length = random() % 2 == 0 ? 1 : awkward_number(random);
      const uint64_t offset = random() % 2 == 0 ? i * 32 : awkward_number(random);
      parts.declarations.push_back(gguf_declaration(std::to_string(i), lengths, random() % 4, offset));
    }
    const std::string bytes = parts.bytes();
    const Result<GgufHeader> header = parse(bytes);
    if (!header.ok()) continue;
    ++num_accepted;
    for (const TensorInfo& info : header->tensors) ASSERT_TRUE(fits_exactly(info, bytes.size())) << round;
  }
  EXPECT_GT(num_accepted, 1000) << "the generator makes too few files that are correct";
}

TEST(GgufHeader, FlippedBytesOfACorrectFileNeverBreakTheReader) {
  const std::string whole = two_tensors().bytes();
  for (size_t at = 0; at < whole.size() - 128; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ 1 << bit);
      const Result<GgufHeader> header = parse(flipped);
      if (!header.ok()) continue;
      for (const TensorInfo& info : header->tensors) ASSERT_TRUE(fits_exactly(info, flipped.size())) << at;
    }
  }
}

}  // namespace
}  // namespace llama_gpu::formats
