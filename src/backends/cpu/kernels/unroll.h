// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace llama_gpu::cpu {

// The number N as a type, so that a lambda can use its argument where a constant is needed.
template <int N>
struct Constant {
  static constexpr int value = N;
  [[gnu::always_inline]] constexpr operator int() const { return N; }
};

// Calls body(Constant<0>), ..., body(Constant<count - 1>) without a loop: arrays indexed by the argument stay
// in registers.
template <int count, class Body>
[[gnu::always_inline]] inline void unroll(const Body& body) {
  if constexpr (count > 0) {
    unroll<count - 1>(body);
    body(Constant<count - 1>{});
  }
}

// Calls body(Constant<n>) for the one n in 1..max that equals `number`. REQUIRES: 1 <= number <= max.
template <int max, class Body>
[[gnu::always_inline]] inline void with_constant(int64_t number, const Body& body) {
  if constexpr (max > 1) {
    if (number < max) return with_constant<max - 1>(number, body);
  }
  body(Constant<max>{});
}

}  // namespace llama_gpu::cpu
