// SPDX-License-Identifier: Apache-2.0
//
// Attention over a paged cache, sixteen keys at a time, with the softmax kept up to date as keys pass
// (Milakov and Gimelshein 2018, arXiv:1805.02867): largest score m, sum l of exp(score - m) and weighted sum
// of values.
//
// Invariance. A query takes the positions 0..15, 16..31, ... in order whatever chunk it came in; what other
// queries share the loaded keys and values changes no operation of its own. Keys behind a query's position
// are neither added nor multiplied by zero: they may be a later row's, or memory nobody has written.
#pragma once

#include "backends/cpu/kernels/elementwise.h"
#include "backends/cpu/kernels/kernel_table.h"
#include "backends/cpu/kernels/unroll.h"

namespace llama_gpu::cpu {

// What a query has seen so far, in the task's scratch memory.
struct QueryState {
  const float* q;
  int64_t position;
  float* weighted;  // [padded_dim]
  float* total;     // [16]: lane t adds the tokens 16 i + t
  float* weights;   // [16]: exp(score - largest) of the current tokens
  float largest;
  float correction;  // exp(old largest - new largest)
};

// Scores of N queries with 16 keys, and their softmax weights. Tokens from `count` on do not exist.
template <class Isa, int N>
[[gnu::always_inline]] inline void score_tokens(QueryState* queries, const uint16_t* keys,
                                                const AttentionTask& task, int64_t count) {
  using F = typename Isa::F;
  const int64_t head_dim = task.layout.head_dim;
  F even[N], odd[N];  // two sums a query: one alone would wait for each addition
  unroll<N>([&](auto n) { even[n] = odd[n] = Isa::zero(); });
  int64_t d = 0;
  for (; d + 2 <= head_dim; d += 2) {
    const F key0 = Isa::load_f16(keys + d * kKvTokens), key1 = Isa::load_f16(keys + (d + 1) * kKvTokens);
    unroll<N>([&](auto n) {
      even[n] = Isa::fma(Isa::set1(queries[n].q[d]), key0, even[n]);
      odd[n] = Isa::fma(Isa::set1(queries[n].q[d + 1]), key1, odd[n]);
    });
  }
  if (d < head_dim) {
    const F key = Isa::load_f16(keys + d * kKvTokens);
    unroll<N>([&](auto n) { even[n] = Isa::fma(Isa::set1(queries[n].q[d]), key, even[n]); });
  }
  const F nothing = Isa::set1(-__builtin_inff());
  unroll<N>([&](auto n) {
    QueryState& query = queries[n];
    const F scores =
        Isa::first_of(count, Isa::mul(Isa::add(even[n], odd[n]), Isa::set1(task.scale)), nothing);
    const float step_largest = Isa::largest(scores);
    const float largest = query.largest > step_largest ? query.largest : step_largest;
    const F all = Isa::set1(largest);
    const F weights = Isa::first_of(count, exp<Isa>(Isa::sub(scores, all)), Isa::zero());
    query.correction = 1.0f;  // what exp(0) gives, without its cost
    if (!(query.largest == largest))
      Isa::store_first(&query.correction, exp<Isa>(Isa::sub(Isa::set1(query.largest), all)), 1);
    query.largest = largest;
    Isa::store(query.weights, weights);
    Isa::store(query.total, Isa::fma(Isa::load(query.total), Isa::set1(query.correction), weights));
  });
}

// Adds `count` tokens' values, V vectors of them from `values`, to N queries.
template <class Isa, int N, int V>
[[gnu::always_inline]] inline void add_values(QueryState* queries, int64_t first_dim, const uint16_t* values,
                                              int64_t padded_dim, int64_t count) {
  typename Isa::F acc[N][V];
  unroll<N>([&](auto n) {
    const auto correction = Isa::set1(queries[n].correction);
    unroll<V>([&](auto v) {
      acc[n][v] = Isa::mul(Isa::load(queries[n].weighted + first_dim + 16 * v), correction);
    });
  });
  for (int64_t token = 0; token < count; ++token) {
    typename Isa::F value[V];
    unroll<V>([&](auto v) { value[v] = Isa::load_f16(values + token * padded_dim + first_dim + 16 * v); });
    unroll<N>([&](auto n) {
      const auto weight = Isa::set1(queries[n].weights[token]);
      unroll<V>([&](auto v) { acc[n][v] = Isa::fma(weight, value[v], acc[n][v]); });
    });
  }
  unroll<N>([&](auto n) {
    unroll<V>([&](auto v) { Isa::store(queries[n].weighted + first_dim + 16 * v, acc[n][v]); });
  });
}

// N queries take the tokens base .. base + count - 1.
template <class Isa, int N>
[[gnu::flatten]] void attend_tokens(QueryState* queries, const AttentionTask& task, int64_t base,
                                    int64_t count) {
  constexpr int kVectors = Isa::kValueVectors;
  const KvLayout& layout = task.layout;
  const int64_t block = base / layout.block_tokens, token = base % layout.block_tokens;
  const auto* data = reinterpret_cast<const uint16_t*>(task.kv + task.block_table[block] * task.block_bytes);
  score_tokens<Isa, N>(queries, data + layout.keys(task.kv_head, token), task, count);

  const uint16_t* values = data + layout.values(task.kv_head, token);
  int64_t dim = 0;
  for (; dim + 16 * kVectors <= layout.padded_dim; dim += 16 * kVectors) {
    add_values<Isa, N, kVectors>(queries, dim, values, layout.padded_dim, count);
  }
  for (; dim < layout.padded_dim; dim += 16)
    add_values<Isa, N, 1>(queries, dim, values, layout.padded_dim, count);
}

// A query that has seen nothing; `scratch` holds padded_dim + 32 floats for it.
template <class Isa>
QueryState start_query(const AttentionTask& task, int64_t i, float* scratch) {
  const int64_t row = i / task.queries_per_row, head = i % task.queries_per_row;
  const int64_t padded_dim = task.layout.padded_dim;
  for (int64_t c = 0; c < padded_dim + 16; c += 16) Isa::store(scratch + c, Isa::zero());
  return {.q = task.q + row * task.q_stride + head * task.layout.head_dim,
          .position = task.first_position + row,
          .weighted = scratch,
          .total = scratch + padded_dim,
          .weights = scratch + padded_dim + 16,
          .largest = -__builtin_inff(),
          .correction = 0};
}

// Writes the query's result: weighted values over the total weight.
template <class Isa>
void finish_query(const AttentionTask& task, int64_t i, const QueryState& query) {
  const int64_t row = i / task.queries_per_row, head = i % task.queries_per_row;
  float* y = task.y + row * task.y_stride + head * task.layout.head_dim;
  const auto inverse = Isa::set1(1.0f / Isa::sum(Isa::load(query.total)));
  for_vectors(task.layout.head_dim, [&](int64_t d, int64_t lanes) {
    Isa::store_first(y + d, Isa::mul(Isa::load(query.weighted + d), inverse), lanes);
  });
}

// Queries `first` .. + N - 1, side by side as long as all of them see the same tokens.
template <class Isa, int N>
void attend_queries(const AttentionTask& task, int64_t first) {
  QueryState queries[N];
  for (int n = 0; n < N; ++n) {
    queries[n] = start_query<Isa>(task, first + n, task.scratch + n * (task.layout.padded_dim + 32));
  }
  const int64_t last_position = queries[N - 1].position;
  for (int64_t base = 0; base <= last_position; base += kKvTokens) {
    const int64_t visible_to_first = queries[0].position - base + 1;
    if (visible_to_first >= kKvTokens || queries[0].position == last_position) {
      attend_tokens<Isa, N>(queries, task, base, visible_to_first < kKvTokens ? visible_to_first : kKvTokens);
      continue;
    }
    for (QueryState& query : queries) {
      const int64_t visible = query.position - base + 1;
      if (visible > 0) attend_tokens<Isa, 1>(&query, task, base, visible < kKvTokens ? visible : kKvTokens);
    }
  }
  for (int n = 0; n < N; ++n) finish_query<Isa>(task, first + n, queries[n]);
}

// All queries of the task, a register tile of them at a time.
template <class Isa>
void attention(const AttentionTask& task) {
  static_assert(Isa::kQueries <= kMaxQueryTile);
  for (int64_t first = task.first_query; first < task.end_query; first += Isa::kQueries) {
    const int64_t left = task.end_query - first;
    with_constant<Isa::kQueries>(left < Isa::kQueries ? left : Isa::kQueries,
                                 [&](auto n) { attend_queries<Isa, n>(task, first); });
  }
}

}  // namespace llama_gpu::cpu
