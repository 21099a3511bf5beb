// SPDX-License-Identifier: Apache-2.0
#include "server/parse_fields.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/check.h"

namespace llama_gpu::server {
namespace {

size_t index_of(std::span<const FieldSpec> table, std::string_view name) {
  for (size_t i = 0; i < table.size(); ++i) {
    if (table[i].name == name) return i;
  }
  return table.size();
}

// A short value as itself, a long one by its type and size: an error repeats no prompt.
std::string described(const Json& value) {
  constexpr size_t kMaxShown = 32;
  if (value.is_array()) return fmt::format("a list of {}", value.size());
  if (value.is_object()) return "an object";
  if (!value.is_string()) return value.dump();
  const size_t bytes = value.get_ref<const std::string&>().size();
  if (bytes == 0) return "an empty string";
  return bytes <= kMaxShown ? "the string " + value.dump() : fmt::format("a string of {} bytes", bytes);
}

std::string shown(double value) { return Json(value).dump(); }

Status check_value(const FieldSpec& spec, const Json& value) {
  const std::string name(spec.name);
  switch (spec.kind) {
    case FieldKind::kString:
      if (!value.is_string()) return invalid_value(name, value, "a string");
      break;
    case FieldKind::kBoolean:
      if (!value.is_boolean()) return invalid_value(name, value, "true or false");
      break;
    case FieldKind::kInteger: {
      const auto number = whole_number(value);
      if (!number || !spec.integer.holds(*number)) {
        return invalid_value(name, value,
                             "a whole number from " + std::to_string(spec.integer.min) + " to " +
                                 std::to_string(spec.integer.max));
      }
      break;
    }
    case FieldKind::kNumber:
      if (!value.is_number() || !spec.number.holds(value.get<double>())) {
        return invalid_value(name, value,
                             "a number from " + shown(spec.number.min) + " to " + shown(spec.number.max));
      }
      break;
    case FieldKind::kParsed:
      break;
  }
  return {};
}

}  // namespace

Result<Fields> Fields::check(const Json& body, std::span<const FieldSpec> table) {
  if (!body.is_object()) {
    return Error{ErrorCode::kInvalidRequest, "the body is " + described(body) + ", expected an object",
                 "send one JSON object"};
  }
  Fields fields(table);
  for (const auto& [name, value] : body.items()) TRY_STATUS(fields.add(name, value));
  for (size_t i = 0; i < table.size(); ++i) {
    if (table[i].is_required && fields.values_[i] == nullptr)
      return missing_parameter(std::string(table[i].name));
  }
  return fields;
}

Status Fields::add(const std::string& name, const Json& value) {
  const size_t index = index_of(table_, name);
  if (index == table_.size()) {
    ignored_.push_back(name);
    return {};
  }
  if (value.is_null()) return {};
  values_[index] = &value;
  return check_value(table_[index], value);
}

const Json* Fields::find(std::string_view name) const {
  const size_t index = index_of(table_, name);
  CHECK(index < table_.size(), "a field that the table does not declare");
  return values_[index];
}

std::optional<int64_t> Fields::integer(std::string_view name) const {
  const Json* value = find(name);
  return value == nullptr ? std::nullopt : whole_number(*value);
}

double Fields::number(std::string_view name, double otherwise) const {
  const Json* value = find(name);
  return value == nullptr ? otherwise : value->get<double>();
}

bool Fields::boolean(std::string_view name, bool otherwise) const {
  const Json* value = find(name);
  return value == nullptr ? otherwise : value->get<bool>();
}

std::string Fields::string(std::string_view name) const { return optional_string(name).value_or(""); }

std::optional<std::string> Fields::optional_string(std::string_view name) const {
  const Json* value = find(name);
  return value == nullptr ? std::nullopt : std::optional(value->get<std::string>());
}

std::optional<int64_t> whole_number(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    return std::in_range<int64_t>(number) ? std::optional(static_cast<int64_t>(number)) : std::nullopt;
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  if (std::trunc(number) != number || std::abs(number) >= 0x1p63) return std::nullopt;
  return static_cast<int64_t>(number);
}

Error invalid_value(const std::string& param, const Json& value, std::string_view expected) {
  return Error{ErrorCode::kInvalidValue,
               "'" + param + "' is " + described(value) + ", expected " + std::string(expected), "", param};
}

Error missing_parameter(const std::string& param) {
  return Error{ErrorCode::kMissingRequiredParameter, "'" + param + "' is missing", "", param};
}

}  // namespace llama_gpu::server
