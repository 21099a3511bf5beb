// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/result.h"
#include "supervisor/wire_fields.h"

// The readable encoding, for control messages: structs are objects, pairs and lists arrays, enums their
// names, a variant an object with one key; an optional that holds nothing is left out.
namespace llama_gpu::supervisor {

using Json = nlohmann::ordered_json;

// The value as JSON. Numbers that are not finite become null, which read_json refuses.
template <typename T>
Json write_json(const T& value) {
  if constexpr (WireEnum<T>) {
    return WireNames<T>::names[static_cast<size_t>(value)];
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (IsVector<T>::value) {
    Json list = Json::array();
    for (const auto& item : value) list.push_back(write_json(item));
    return list;
  } else if constexpr (IsPair<T>::value) {
    return Json::array({write_json(value.first), write_json(value.second)});
  } else if constexpr (WireVariant<T>) {
    Json object = Json::object();
    std::visit(
        [&](const auto& held) {
          object[std::string(WireAlternatives<T>::names[value.index()])] = write_json(held);
        },
        value);
    return object;
  } else {
    static_assert(WireStruct<T>, "give the type a WireFields table");
    Json object = Json::object();
    (void)for_each_field<T>([&](const auto& each) -> Status {
      const auto& member = value.*(each.member);
      if constexpr (IsOptional<std::remove_cvref_t<decltype(member)>>::value) {
        if (member) object[std::string(each.name)] = write_json(*member);
      } else {
        object[std::string(each.name)] = write_json(member);
      }
      return {};
    });
    return object;
  }
}

// The Error of a field that is not as it must be.
inline Error bad_json_field(std::string_view name, std::string_view expected) {
  return {ErrorCode::kProtocolError, "'" + std::string(name) + "' must be " + std::string(expected)};
}

// Reads an integer of any width; `expected` where it is of another type or out of the width's range.
template <typename T>
Status read_json_integer(const Json& json, std::string_view name, T& value) {
  const bool fits = json.is_number_unsigned()
                        ? std::in_range<T>(json.get<uint64_t>())
                        : json.is_number_integer() && std::in_range<T>(json.get<int64_t>());
  if (!fits) return bad_json_field(name, "an integer of " + std::to_string(8 * sizeof(T)) + " bits");
  value =
      json.is_number_unsigned() ? static_cast<T>(json.get<uint64_t>()) : static_cast<T>(json.get<int64_t>());
  return {};
}

// Defined below; the two need each other.
template <typename T>
Status read_json(const Json& json, std::string_view name, T& value);

// Reads the alternative that the object's one key names.
template <typename T, size_t... Index>
Status read_json_variant(const Json& json, std::string_view name, T& value, std::index_sequence<Index...>) {
  if (!json.is_object() || json.size() != 1) return bad_json_field(name, "an object with one key");
  const std::string& key = json.begin().key();
  Status status = bad_json_field(name, "one of the known kinds");
  const auto try_alternative = [&]<size_t I>(std::integral_constant<size_t, I>) {
    if (key != WireAlternatives<T>::names[I]) return;
    status = read_json(json.begin().value(), key, value.template emplace<I>());
  };
  (try_alternative(std::integral_constant<size_t, Index>{}), ...);
  return status;
}

// Reads a field of a struct; only an optional may be absent or null.
template <typename T>
Status read_json_member(const Json& object, std::string_view name, T& member) {
  const auto found = object.find(name);
  if constexpr (IsOptional<T>::value) {
    if (found == object.end() || found->is_null()) return {};
    return read_json(*found, name, member.emplace());
  } else {
    if (found == object.end()) return bad_json_field(name, "there");
    return read_json(*found, name, member);
  }
}

// Reads a foreign value; kProtocolError naming the field where it is not of the type. Unknown keys are
// ignored. Recursion follows the type, not the input.
template <typename T>
Status read_json(const Json& json, std::string_view name, T& value) {
  if constexpr (WireEnum<T>) {
    const auto* text = json.get_ptr<const std::string*>();
    for (size_t i = 0; text != nullptr && i < WireNames<T>::names.size(); ++i) {
      if (*text != WireNames<T>::names[i]) continue;
      value = static_cast<T>(i);
      return {};
    }
    return bad_json_field(name, "one of the known names");
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) return bad_json_field(name, "true or false");
    value = json.get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    return read_json_integer(json, name, value);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number() || std::abs(json.get<double>()) > std::numeric_limits<T>::max()) {
      return bad_json_field(name, "a finite number");
    }
    value = static_cast<T>(json.get<double>());
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) return bad_json_field(name, "a string");
    value = *json.get_ptr<const std::string*>();
  } else if constexpr (IsVector<T>::value) {
    if (!json.is_array()) return bad_json_field(name, "an array");
    for (const Json& item : json) TRY_STATUS(read_json(item, name, value.emplace_back()));
  } else if constexpr (IsPair<T>::value) {
    if (!json.is_array() || json.size() != 2) return bad_json_field(name, "an array of two");
    TRY_STATUS(read_json(json[0], name, value.first));
    TRY_STATUS(read_json(json[1], name, value.second));
  } else if constexpr (WireVariant<T>) {
    return read_json_variant(json, name, value, std::make_index_sequence<std::variant_size_v<T>>{});
  } else {
    static_assert(WireStruct<T>, "give the type a WireFields table");
    if (!json.is_object()) return bad_json_field(name, "an object");
    return for_each_field<T>(
        [&](const auto& each) { return read_json_member(json, each.name, value.*(each.member)); });
  }
  return {};
}

}  // namespace llama_gpu::supervisor
