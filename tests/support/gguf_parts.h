// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "formats/gguf_format.h"

namespace llama_gpu::test_support {

// A number as its bytes stand in a file.
template <typename T>
std::string le(T value) {
  static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// A length and the bytes.
inline std::string gguf_string(std::string_view text) {
  return le(uint64_t{text.size()}) + std::string(text);
}

// A metadata entry; `type` need not be one that exists, `value` need not fit it.
inline std::string gguf_entry(std::string_view key, uint32_t type, std::string_view value) {
  return gguf_string(key) + le(type) + std::string(value);
}
inline std::string gguf_entry(std::string_view key, formats::GgufType type, std::string_view value) {
  return gguf_entry(key, static_cast<uint32_t>(type), value);
}

// The value of an array entry.
inline std::string gguf_array(formats::GgufType type, uint64_t count, std::string_view values) {
  return le(type) + le(count) + std::string(values);
}

// A tensor's declaration, `lengths` with the innermost axis first, as in the file.
inline std::string gguf_declaration(std::string_view name, const std::vector<uint64_t>& lengths,
                                    uint32_t type, uint64_t offset) {
  std::string out = gguf_string(name) + le(static_cast<uint32_t>(lengths.size()));
  for (const uint64_t length : lengths) out += le(length);
  return out + le(type) + le(offset);
}

// A GGUF file of parts that need not fit together, for tests of readers. formats::GgufWriter makes correct
// ones.
struct GgufParts {
  std::string magic = std::string(formats::kGgufMagic);
  uint32_t version = formats::kNewestGgufVersion;
  std::vector<std::string> entries = {};
  std::vector<std::string> declarations = {};
  std::string data = {};
  uint64_t alignment = formats::kDefaultGgufAlignment;  // of the data; no entry is made
  std::optional<uint64_t> num_entries = std::nullopt;   // instead of the true number
  std::optional<uint64_t> num_tensors = std::nullopt;

  std::string bytes() const {
    std::string out = magic + le(version) + le(num_tensors.value_or(declarations.size())) +
                      le(num_entries.value_or(entries.size()));
    for (const std::string& entry : entries) out += entry;
    for (const std::string& declaration : declarations) out += declaration;
    if (!data.empty()) out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data;
  }
};

}  // namespace llama_gpu::test_support
