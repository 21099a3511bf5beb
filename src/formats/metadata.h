// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace llama_gpu::formats {

// One value of a model file's metadata. Unsigned, signed and floating numbers of every width are widened to
// 64 bits; an array keeps one element kind, as the file does. A string may hold any bytes (tokens do).
using MetadataArray = std::variant<std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>,
                                   std::vector<bool>, std::vector<std::string>>;
struct MetadataValue {
  std::variant<uint64_t, int64_t, double, bool, std::string, MetadataArray> value;
  std::optional<uint64_t> byte_offset = std::nullopt;  // where the value stands in its file
};

// Checked key/value pairs of a model file. Getters return kModelInvalid naming the key, the value and what
// was expected where a key is missing, of another type or out of range; they never convert silently.
// Immutable once filled, then readable on any thread.
class Metadata {
 public:
  // REQUIRES: `key` is not there yet (readers refuse duplicates first).
  void insert(std::string key, MetadataValue value);

  // nullptr where there is none.
  const MetadataValue* find(std::string_view key) const;
  const std::map<std::string, MetadataValue, std::less<>>& all() const { return values_; }

  // Any bytes.
  Result<std::string> string(std::string_view key) const;
  // An integer of either sign in [min, max].
  Result<int64_t> integer(std::string_view key, int64_t min, int64_t max) const;
  // A floating-point number, finite and in [min, max].
  Result<double> number(std::string_view key, double min, double max) const;
  Result<bool> boolean(std::string_view key) const;
  // Arrays of that element kind and no other. The pointer lives as long as the metadata.
  Result<const std::vector<std::string>*> strings(std::string_view key) const;
  Result<std::vector<float>> floats(std::string_view key) const;
  Result<std::vector<int64_t>> integers(std::string_view key) const;

  // The same, `fallback` where the key is absent (a key of the wrong type is still an error).
  Result<std::string> string_or(std::string_view key, std::string_view fallback) const;
  Result<int64_t> integer_or(std::string_view key, int64_t min, int64_t max, int64_t fallback) const;
  Result<double> number_or(std::string_view key, double min, double max, double fallback) const;
  Result<bool> boolean_or(std::string_view key, bool fallback) const;

 private:
  std::map<std::string, MetadataValue, std::less<>> values_;
};

}  // namespace llama_gpu::formats
