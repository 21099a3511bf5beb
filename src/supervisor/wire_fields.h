// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// How a struct becomes part of a message: one table of its fields, read by both directions of both encodings
// (wire_json.h, wire_binary.h), so that nothing is listed twice.
namespace llama_gpu::supervisor {

// One field: its name on the wire and the member that holds it.
template <typename Struct, typename Member>
struct WireField {
  std::string_view name;
  Member Struct::* member;
};

// A row of a WireFields table.
template <typename Struct, typename Member>
constexpr WireField<Struct, Member> field(std::string_view name, Member Struct::* member) {
  return {name, member};
}

// Specialised for each struct that crosses: `static constexpr auto value = std::tuple{field("name",
// &S::name), ...}`.
template <typename T>
struct WireFields;

// Specialised for each enum that crosses: `names` by value, from 0.
template <typename T>
struct WireNames;

// Specialised for each variant that crosses: `names` by index. On the wire it is an object with that one key.
template <typename T>
struct WireAlternatives;

template <typename T>
concept WireStruct = requires { WireFields<T>::value; };

template <typename T>
concept WireEnum = std::is_enum_v<T>;

template <typename T>
concept WireVariant = requires { WireAlternatives<T>::names; };

// Whether `T` is an optional, a vector, a pair.
template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

template <typename T>
struct IsPair : std::false_type {};
template <typename A, typename B>
struct IsPair<std::pair<A, B>> : std::true_type {};

// Calls `visit(field)` for each field of `T` in wire order until it returns a Status that is not ok.
template <WireStruct T, typename Visit>
auto for_each_field(Visit&& visit) {
  decltype(visit(std::get<0>(WireFields<T>::value))) status;
  std::apply([&](const auto&... each) { (void)((status = visit(each), status.ok()) && ...); },
             WireFields<T>::value);
  return status;
}

}  // namespace llama_gpu::supervisor
