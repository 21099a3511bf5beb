// SPDX-License-Identifier: Apache-2.0
#include "formats/metadata.h"

#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/strings.h"

namespace llama_gpu::formats {
namespace {

constexpr size_t kQuotedBytes = 80;
constexpr const char* kHint = "the file is damaged, or was made by a faulty converter: get it again";

std::string describe(const MetadataArray& array) {
  static constexpr const char* kKinds[] = {"unsigned integers", "signed integers", "numbers", "booleans",
                                           "strings"};
  const size_t size = std::visit([](const auto& values) { return values.size(); }, array);
  return fmt::format("an array of {} {}", size, kKinds[array.index()]);
}

// Names a value in an error.
std::string describe(const MetadataValue& entry) {
  struct {
    std::string operator()(uint64_t value) const { return fmt::format("the integer {}", value); }
    std::string operator()(int64_t value) const { return fmt::format("the integer {}", value); }
    std::string operator()(double value) const { return fmt::format("the number {}", value); }
    std::string operator()(bool value) const { return fmt::format("the boolean {}", value); }
    std::string operator()(const std::string& value) const {
      return fmt::format("the string '{}'", escape_line(value, kQuotedBytes));
    }
    std::string operator()(const MetadataArray& value) const { return describe(value); }
  } visitor;
  return std::visit(visitor, entry.value);
}

Error missing(std::string_view key, const std::string& expected) {
  return {ErrorCode::kModelInvalid, fmt::format("metadata key '{}' is missing, expected {}", key, expected),
          kHint};
}

Error unexpected(std::string_view key, const MetadataValue& entry, const std::string& expected) {
  return {ErrorCode::kModelInvalid,
          fmt::format("metadata key '{}' is {}, expected {}", key, describe(entry), expected), kHint,
          /*param=*/"", entry.byte_offset};
}

// The value's alternative `T`; nullptr where it is another.
template <typename T>
const T* alternative(const MetadataValue& entry) {
  return std::get_if<T>(&entry.value);
}

template <typename T>
const std::vector<T>* array_of(const MetadataValue& entry) {
  const auto* array = alternative<MetadataArray>(entry);
  return array == nullptr ? nullptr : std::get_if<std::vector<T>>(array);
}

std::optional<int64_t> as_integer(const MetadataValue& entry) {
  if (const auto* value = alternative<int64_t>(entry)) return *value;
  const auto* value = alternative<uint64_t>(entry);
  if (value == nullptr || !std::in_range<int64_t>(*value)) return std::nullopt;
  return static_cast<int64_t>(*value);
}

}  // namespace

void Metadata::insert(std::string key, MetadataValue value) {
  const bool is_new = values_.emplace(std::move(key), std::move(value)).second;
  CHECK(is_new, "a metadata key was inserted twice");
}

const MetadataValue* Metadata::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

Result<std::string> Metadata::string(std::string_view key) const {
  const MetadataValue* entry = find(key);
  if (entry == nullptr) return missing(key, "a string");
  const auto* value = alternative<std::string>(*entry);
  if (value == nullptr) return unexpected(key, *entry, "a string");
  return *value;
}

Result<int64_t> Metadata::integer(std::string_view key, int64_t min, int64_t max) const {
  const MetadataValue* entry = find(key);
  const std::string expected = fmt::format("an integer from {} to {}", min, max);
  if (entry == nullptr) return missing(key, expected);
  const std::optional<int64_t> value = as_integer(*entry);
  if (!value || *value < min || *value > max) return unexpected(key, *entry, expected);
  return *value;
}

Result<double> Metadata::number(std::string_view key, double min, double max) const {
  const MetadataValue* entry = find(key);
  const std::string expected = fmt::format("a floating-point number from {} to {}", min, max);
  if (entry == nullptr) return missing(key, expected);
  const auto* value = alternative<double>(*entry);
  if (value == nullptr || !std::isfinite(*value) || *value < min || *value > max) {
    return unexpected(key, *entry, expected);
  }
  return *value;
}

Result<bool> Metadata::boolean(std::string_view key) const {
  const MetadataValue* entry = find(key);
  if (entry == nullptr) return missing(key, "a boolean");
  const auto* value = alternative<bool>(*entry);
  if (value == nullptr) return unexpected(key, *entry, "a boolean");
  return *value;
}

Result<const std::vector<std::string>*> Metadata::strings(std::string_view key) const {
  const MetadataValue* entry = find(key);
  if (entry == nullptr) return missing(key, "an array of strings");
  const auto* values = array_of<std::string>(*entry);
  if (values == nullptr) return unexpected(key, *entry, "an array of strings");
  return values;
}

Result<std::vector<float>> Metadata::floats(std::string_view key) const {
  const MetadataValue* entry = find(key);
  if (entry == nullptr) return missing(key, "an array of floating-point numbers");
  const auto* values = array_of<double>(*entry);
  if (values == nullptr) return unexpected(key, *entry, "an array of floating-point numbers");
  std::vector<float> narrowed;
  narrowed.reserve(values->size());
  for (const double value : *values) narrowed.push_back(static_cast<float>(value));
  return narrowed;
}

Result<std::vector<int64_t>> Metadata::integers(std::string_view key) const {
  const MetadataValue* entry = find(key);
  if (entry == nullptr) return missing(key, "an array of integers");
  if (const auto* values = array_of<int64_t>(*entry)) return *values;
  const auto* values = array_of<uint64_t>(*entry);
  if (values == nullptr) return unexpected(key, *entry, "an array of integers");
  std::vector<int64_t> converted;
  converted.reserve(values->size());
  for (const uint64_t value : *values) {
    if (!std::in_range<int64_t>(value)) {
      return unexpected(key, *entry, fmt::format("integers below 2^63, not {}", value));
    }
    converted.push_back(static_cast<int64_t>(value));
  }
  return converted;
}

Result<std::string> Metadata::string_or(std::string_view key, std::string_view fallback) const {
  if (find(key) == nullptr) return std::string(fallback);
  return string(key);
}

Result<int64_t> Metadata::integer_or(std::string_view key, int64_t min, int64_t max, int64_t fallback) const {
  if (find(key) == nullptr) return fallback;
  return integer(key, min, max);
}

Result<double> Metadata::number_or(std::string_view key, double min, double max, double fallback) const {
  if (find(key) == nullptr) return fallback;
  return number(key, min, max);
}

Result<bool> Metadata::boolean_or(std::string_view key, bool fallback) const {
  if (find(key) == nullptr) return fallback;
  return boolean(key);
}

}  // namespace llama_gpu::formats
