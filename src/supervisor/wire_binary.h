// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/bounded_reader.h"
#include "supervisor/wire_fields.h"

// The compact encoding, for step frames: fields in table order, numbers little-endian at their own width,
// texts and lists behind a u32 count, optionals behind a u8 of 0 or 1, enums and bools as u8.
namespace llama_gpu::supervisor {

// Appends values to `bytes`. Texts and lists hold less than 2^32 items: frames are far smaller.
template <typename T>
void write_binary(std::string& bytes, const T& value) {
  if constexpr (std::is_same_v<T, bool> || WireEnum<T>) {
    bytes.push_back(static_cast<char>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  } else if constexpr (std::is_same_v<T, std::string>) {
    write_binary(bytes, static_cast<uint32_t>(value.size()));
    bytes.append(value);
  } else if constexpr (IsOptional<T>::value) {
    write_binary(bytes, value.has_value());
    if (value) write_binary(bytes, *value);
  } else if constexpr (IsVector<T>::value) {
    write_binary(bytes, static_cast<uint32_t>(value.size()));
    for (const auto& item : value) write_binary(bytes, item);
  } else if constexpr (IsPair<T>::value) {
    write_binary(bytes, value.first);
    write_binary(bytes, value.second);
  } else {
    static_assert(WireStruct<T>, "give the type a WireFields table");
    (void)for_each_field<T>([&](const auto& each) -> Status {
      write_binary(bytes, value.*(each.member));
      return {};
    });
  }
}

// Reads values from foreign bytes into `value`; kProtocolError naming the field where they are not of that
// form. A count reserves nothing: memory grows with the bytes that are really there.
template <typename T>
Status read_binary(BoundedReader& reader, std::string_view name, T& value) {
  const auto refuse = [&](uint64_t got) -> Error {
    return {ErrorCode::kProtocolError, std::string(name) + " may not be " + std::to_string(got), "", "",
            reader.offset() - 1};
  };
  if constexpr (std::is_same_v<T, bool>) {
    TRY(const uint8_t raw, reader.read<uint8_t>(name));
    if (raw > 1) return refuse(raw);
    value = raw == 1;
  } else if constexpr (WireEnum<T>) {
    TRY(const uint8_t raw, reader.read<uint8_t>(name));
    if (raw >= WireNames<T>::names.size()) return refuse(raw);
    value = static_cast<T>(raw);
  } else if constexpr (std::is_arithmetic_v<T>) {
    TRY(value, reader.read<T>(name));
  } else if constexpr (std::is_same_v<T, std::string>) {
    TRY(const uint32_t size_bytes, reader.read<uint32_t>(name));
    TRY(const std::span<const std::byte> raw, reader.read_bytes(size_bytes, name));
    value.assign(reinterpret_cast<const char*>(raw.data()), raw.size());
  } else if constexpr (IsOptional<T>::value) {
    bool has_value = false;
    TRY_STATUS(read_binary(reader, name, has_value));
    if (has_value) TRY_STATUS(read_binary(reader, name, value.emplace()));
  } else if constexpr (IsVector<T>::value) {
    TRY(const uint32_t count, reader.read<uint32_t>(name));
    for (uint32_t i = 0; i < count; ++i) TRY_STATUS(read_binary(reader, name, value.emplace_back()));
  } else if constexpr (IsPair<T>::value) {
    TRY_STATUS(read_binary(reader, name, value.first));
    TRY_STATUS(read_binary(reader, name, value.second));
  } else {
    static_assert(WireStruct<T>, "give the type a WireFields table");
    return for_each_field<T>(
        [&](const auto& each) { return read_binary(reader, each.name, value.*(each.member)); });
  }
  return {};
}

}  // namespace llama_gpu::supervisor
