// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ops/step_layout.h"

namespace llama_gpu::cpu {

inline constexpr int32_t kKvTokens = 16;  // tokens that attention takes in one step: one vector of scores

// Where keys and values lie in a KV block, in half floats. A block holds its tokens in groups of 16:
//   keys   [kv_head][head_dim][16 tokens]      a vector is one dimension of 16 keys
//   values [kv_head][16 tokens][padded_dim]    a vector is 16 dimensions of one value
// so that neither q.k nor p.v adds across the lanes of a vector.
struct KvLayout {
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t padded_dim = 0;    // head_dim rounded up to whole vectors
  int64_t block_tokens = 0;  // a multiple of kKvTokens

  // REQUIRES: geometry.block_tokens is a multiple of kKvTokens.
  static constexpr KvLayout of(const KvGeometry& geometry) {
    return {geometry.num_kv_heads, geometry.head_dim, (geometry.head_dim + 15) / 16 * 16,
            geometry.block_tokens};
  }

  [[gnu::always_inline]] constexpr int64_t group_halves() const {
    return kv_heads * kKvTokens * (head_dim + padded_dim);
  }
  constexpr int64_t block_bytes() const { return block_tokens / kKvTokens * group_halves() * 2; }
  // Offset of a head's keys in the block, for the group of 16 tokens that starts at `token`.
  [[gnu::always_inline]] constexpr int64_t keys(int64_t head, int64_t token) const {
    return token / kKvTokens * group_halves() + head * head_dim * kKvTokens;
  }
  // The same for its values.
  [[gnu::always_inline]] constexpr int64_t values(int64_t head, int64_t token) const {
    return token / kKvTokens * group_halves() + kv_heads * head_dim * kKvTokens +
           head * kKvTokens * padded_dim;
  }
};

}  // namespace llama_gpu::cpu
