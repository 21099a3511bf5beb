// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace llama_gpu::formats {

// The GGUF file format. Little-endian, in this order: magic, u32 version, u64 number of tensors, u64 number
// of metadata entries; the entries (key, u32 type, value); the tensors' declarations (name, u32 number of
// axes, u64 lengths with the innermost axis first, u32 number type, u64 offset from the start of the data);
// the data, and each tensor in it, at a multiple of the alignment. A string is a u64 length and its bytes.

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr uint32_t kOldestGgufVersion =
    2;  // version 1 has 32-bit lengths; no program writes it any more
inline constexpr uint32_t kNewestGgufVersion = 3;  // differs from 2 only by allowing big-endian files

// The type of a metadata value, as numbered in a file.
enum class GgufType : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};
inline constexpr uint32_t kNumGgufTypes = 13;

inline constexpr std::string_view kGgufAlignmentKey = "general.alignment";
inline constexpr uint64_t kDefaultGgufAlignment = 32;

// Bounds on what is read. The specification sets those of alignment, axes and names; the others are far above
// any real model and keep memory bounded whatever a file says.
inline constexpr uint64_t kMinGgufAlignment = 8;
inline constexpr uint64_t kMaxGgufAlignment = uint64_t{1} << 20;
inline constexpr uint64_t kMaxGgufKeyBytes = 65535;
inline constexpr uint64_t kMaxGgufStringBytes = uint64_t{64} << 20;
inline constexpr uint64_t kMaxGgufArrayValues = uint64_t{1} << 24;
inline constexpr uint64_t kMaxGgufEntries = uint64_t{1} << 16;
inline constexpr uint64_t kMaxGgufTensors = uint64_t{1} << 18;
inline constexpr uint64_t kMaxGgufHeaderBytes = uint64_t{128} << 20;  // everything before the data
inline constexpr uint64_t kMaxGgufTensorNameBytes = 63;
inline constexpr uint32_t kMaxGgufAxes = 4;

}  // namespace llama_gpu::formats
