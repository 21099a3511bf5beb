// links: formats test_support
// SPDX-License-Identifier: Apache-2.0
//
// GGUF headers. The first byte of an input chooses what the others mean: a file as it is, or choices from
// which a file of plausible fields is built, a few of them wrong. Random bytes alone die at the magic number.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/strings.h"
#include "formats/gguf_format.h"
#include "formats/gguf_header.h"
#include "support/gguf_parts.h"
#include "tensor/dtype.h"

namespace llama_gpu::formats {
namespace {

using test_support::gguf_array;
using test_support::gguf_declaration;
using test_support::gguf_entry;
using test_support::gguf_string;
using test_support::GgufParts;
using test_support::le;

// Takes choices from an input's front; zeros once it is empty.
class Choices {
 public:
  explicit Choices(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  uint8_t byte() {
    if (bytes_.empty()) return 0;
    const uint8_t value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }
  uint64_t below(uint64_t bound) { return byte() % bound; }
  bool rarely() { return byte() > 243; }
  // Small, or where sums and products wrap.
  uint64_t number() {
    const uint64_t power = uint64_t{1} << below(64);
    switch (below(8)) {
      case 0:
        return power;
      case 1:
        return power - 1;
      case 2:
        return power + byte();
      case 3:
        return ~uint64_t{byte()};
      default:
        return byte();
    }
  }
  std::string text(uint64_t max_bytes) {
    std::string text(below(max_bytes + 1), '\0');
    for (char& c : text) c = static_cast<char>(byte());
    return text;
  }

 private:
  std::span<const uint8_t> bytes_;
};

constexpr std::array<size_t, kNumGgufTypes> kValueBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr std::array<const char*, 8> kKeys = {
    "general.alignment",     "general.architecture",  "llama.block_count",         "tokenizer.ggml.tokens",
    "tokenizer.ggml.scores", "tokenizer.ggml.merges", "tokenizer.ggml.token_type", "split.count"};

std::string scalar(Choices& choices, GgufType type) {
  if (type == GgufType::kString)
    return choices.rarely() ? le(choices.number()) : gguf_string(choices.text(12));
  if (type == GgufType::kBool)
    return std::string(1, static_cast<char>(choices.rarely() ? 2 : choices.below(2)));
  std::string value(kValueBytes[static_cast<size_t>(type)], '\0');
  if (choices.below(2) == 0) {
    for (char& c : value) c = static_cast<char>(choices.byte());
  } else if (!value.empty()) {
    value[0] = static_cast<char>(1 << choices.below(8));
  }
  return value;
}

std::string entry(Choices& choices) {
  const std::string key = choices.below(4) == 0 ? choices.text(6) : kKeys[choices.below(kKeys.size())];
  const auto type = static_cast<GgufType>(choices.below(kNumGgufTypes));
  if (choices.rarely()) return gguf_entry(key, static_cast<uint32_t>(choices.number()), choices.text(8));
  if (type != GgufType::kArray) return gguf_entry(key, type, scalar(choices, type));
  const auto element = static_cast<GgufType>(choices.below(kNumGgufTypes));
  const uint64_t count = choices.below(6);
  std::string values;
  for (uint64_t i = 0; i < count; ++i) values += scalar(choices, element);
  return gguf_entry(key, type, gguf_array(element, choices.rarely() ? choices.number() : count, values));
}

// A tensor that stands at `offset`, which moves behind it; a few fields are wrong.
std::string declaration(Choices& choices, uint64_t& offset) {
  const DTypeInfo& type = all_dtypes()[choices.below(all_dtypes().size())];
  std::vector<uint64_t> lengths(1 + choices.below(4), 1);
  lengths[0] = static_cast<uint64_t>(type.block_values) * choices.below(3);
  lengths.back() += choices.below(3);
  if (choices.rarely()) lengths[choices.below(lengths.size())] = choices.number();
  const uint64_t place = choices.rarely() ? choices.number() : offset;
  uint64_t num_values = 1;
  for (const uint64_t length : lengths) num_values *= length;
  const uint64_t size =
      num_values / static_cast<uint64_t>(type.block_values) * static_cast<uint64_t>(type.block_bytes);
  offset = (offset + size % 65536 + 31) / 32 * 32;
  const std::string name = choices.rarely() ? choices.text(80) : "t" + std::to_string(choices.byte());
  return gguf_declaration(name, lengths, choices.rarely() ? choices.byte() : type.gguf_id, place);
}

std::string build_file(Choices choices) {
  GgufParts parts;
  if (choices.rarely()) parts.version = static_cast<uint32_t>(choices.number());
  for (uint64_t i = 0, count = choices.below(8); i < count; ++i) parts.entries.push_back(entry(choices));
  uint64_t data_bytes = 0;
  for (uint64_t i = 0, count = choices.below(6); i < count; ++i) {
    parts.declarations.push_back(declaration(choices, data_bytes));
  }
  if (choices.rarely()) parts.num_entries = choices.number();
  if (choices.rarely()) parts.num_tensors = choices.number();
  parts.data.assign(choices.rarely() ? data_bytes / 2 : data_bytes, 'd');
  std::string bytes = parts.bytes();
  if (choices.rarely()) bytes.resize(bytes.size() - choices.below(bytes.size()));
  if (choices.rarely()) bytes[choices.number() % bytes.size()] = static_cast<char>(choices.byte());
  return bytes;
}

void check_error(const Error& error, size_t file_bytes) {
  CHECK(is_valid_utf8(error.message) && !error.message.empty(), "an error must be fit for a client");
  CHECK(error.byte_offset && *error.byte_offset <= file_bytes, "an error must name a byte of the file");
}

// What every caller relies on: tensors lie in the file, apart from each other.
void check_header(const GgufHeader& header, size_t file_bytes) {
  uint64_t end = 0;
  for (const TensorInfo& info : header.tensors) {
    CHECK(info.file_offset % header.alignment == 0, "a tensor is not aligned");
    CHECK(info.file_offset >= end, "tensors overlap");
    CHECK(info.size_bytes <= file_bytes && info.file_offset <= file_bytes - info.size_bytes,
          "a tensor leaves the file");
    CHECK(info.size_bytes == static_cast<uint64_t>(info.rows() * row_bytes(info.dtype, info.cols())),
          "a wrong size");
    end = info.file_offset + info.size_bytes;
  }
}

template <typename T>
void check_readable(const Result<T>& result) {
  CHECK(result.ok() || is_valid_utf8(result.error().message), "an error must be fit for a client");
}

// No getter may end the process, whatever a key holds.
void read_all(const Metadata& metadata) {
  for (const auto& [key, value] : metadata.all()) {
    check_readable(metadata.string(key));
    check_readable(metadata.integer(key, -9, 9));
    check_readable(metadata.number(key, -9, 9));
    check_readable(metadata.boolean(key));
    check_readable(metadata.strings(key));
    check_readable(metadata.floats(key));
    check_readable(metadata.integers(key));
  }
}

void run(const std::string& file) {
  const Result<GgufHeader> header = parse_gguf_header(std::as_bytes(std::span(file)));
  if (!header.ok()) return check_error(header.error(), file.size());
  check_header(*header, file.size());
  read_all(header->metadata);
}

}  // namespace
}  // namespace llama_gpu::formats

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  const bool is_raw = data[0] % 4 == 0;
  llama_gpu::formats::run(is_raw ? std::string(rest.begin(), rest.end())
                                 : llama_gpu::formats::build_file(llama_gpu::formats::Choices(rest)));
  return 0;
}
