// SPDX-License-Identifier: Apache-2.0
//
// Writing keys and values and attending over them, with ragged steps of several sequences.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "conformance/harness.h"
#include "conformance/tolerance.h"

namespace llama_gpu::conformance {
namespace {

struct Shape {
  int32_t heads;
  int32_t kv_heads;
  int32_t head_dim;
  int32_t block_tokens = 16;
};

// The inputs of a whole sequence: row p belongs to position p.
struct SequenceInputs {
  Matrix q, k, v;
};

SequenceInputs random_sequence(const Shape& shape, int64_t tokens, uint64_t seed) {
  return {random_matrix(tokens, int64_t{shape.heads} * shape.head_dim, seed),
          random_matrix(tokens, int64_t{shape.kv_heads} * shape.head_dim, seed + 1),
          random_matrix(tokens, int64_t{shape.kv_heads} * shape.head_dim, seed + 2)};
}

// A KV cache on a backend, and the sequences in it.
class Cache {
 public:
  // Memory is filled with what nobody wrote: not-a-number in every format.
  Cache(Session& session, const Shape& shape, int64_t num_blocks)
      : session_(session),
        shape_(shape),
        geometry_{shape.kv_heads, shape.head_dim, shape.block_tokens},
        memory_(session.backend()
                    .device()
                    .allocate(static_cast<size_t>(num_blocks * session.backend().kv_block_bytes(geometry_)))
                    .value()) {
    std::vector<std::byte> garbage(memory_.size_bytes(), std::byte{0xFF});
    EXPECT_TRUE(session.backend().device().copy_to_device(garbage, memory_.data()).ok());
  }

  // The rows of one sequence in a step: positions first .. first + count - 1 of `inputs`.
  struct Chunk {
    const SequenceInputs* inputs;
    std::vector<BlockId> blocks;
    int32_t first;
    int32_t count;
  };

  // Writes and attends all chunks as one step. Returns the rows one after another.
  Matrix step(const std::vector<Chunk>& chunks) {
    int64_t rows = 0;
    for (const Chunk& chunk : chunks) rows += chunk.count;
    Matrix q(rows, shape_.heads * shape_.head_dim, 2), y(rows, shape_.heads * shape_.head_dim, 1);
    Matrix k(rows, shape_.kv_heads * shape_.head_dim, 3), v(rows, shape_.kv_heads * shape_.head_dim);
    std::vector<SequenceRows> sequences;
    int32_t row = 0;
    for (const Chunk& chunk : chunks) {
      sequences.push_back({row, chunk.count, chunk.first, chunk.blocks});
      for (int32_t i = 0; i < chunk.count; ++i, ++row) {
        copy_row(chunk.inputs->q, chunk.first + i, q, row);
        copy_row(chunk.inputs->k, chunk.first + i, k, row);
        copy_row(chunk.inputs->v, chunk.first + i, v, row);
      }
    }
    const StepLayout layout = {.tokens = {}, .positions = {}, .sequences = sequences, .output_rows = {}};
    const KvLayer kv = {memory_.data(), session_.backend().kv_block_bytes(geometry_), geometry_};
    const float scale = 1.0f / std::sqrt(static_cast<float>(shape_.head_dim));
    session_.ops().begin_step(session_.stream(), layout);
    session_.ops().kv_write(session_.stream(), {k.view(), v.view(), layout, kv});
    session_.ops().attention(session_.stream(), {q.view(), layout, kv, scale, y.view()});
    EXPECT_TRUE(y.gaps_are_untouched());
    return y;
  }

 private:
  static void copy_row(const Matrix& from, int64_t r, Matrix& to, int64_t to_r) {
    for (int64_t c = 0; c < from.cols(); ++c) to.at(to_r, c) = from.at(r, c);
  }

  Session& session_;
  Shape shape_;
  KvGeometry geometry_;
  Buffer memory_;
};

// Blocks of a sequence in an order that is not ascending, so that a wrong index shows.
std::vector<BlockId> scattered_blocks(int32_t first, int32_t count) {
  std::vector<BlockId> blocks(static_cast<size_t>(count));
  std::iota(blocks.begin(), blocks.end(), first);
  std::ranges::reverse(blocks);
  std::rotate(blocks.begin(), blocks.begin() + count / 3, blocks.end());
  return blocks;
}

// The bound of `head` at `position`.
double bound_of(const Shape& shape, const SequenceInputs& inputs, int64_t position, int64_t head) {
  const int64_t dim = shape.head_dim;
  const int64_t kv_head = head / (shape.heads / shape.kv_heads);
  AttentionBound bound = {0, 0, dim, position + 1};
  for (int64_t p = 0; p <= position; ++p) {
    double score = 0;
    for (int64_t d = 0; d < dim; ++d) {
      score += std::abs(double{inputs.q.at(position, head * dim + d)} * inputs.k.at(p, kv_head * dim + d));
      bound.largest_value =
          std::max(bound.largest_value, std::abs(double{inputs.v.at(p, kv_head * dim + d)}));
    }
    bound.score = std::max(bound.score, score / std::sqrt(static_cast<double>(dim)));
  }
  return attention_tolerance(bound);
}

// Bounds of `count` rows of a sequence from position `first` on: [count, heads].
Matrix bounds_of(const Shape& shape, const SequenceInputs& inputs, int64_t first, int64_t count) {
  Matrix bounds(count, shape.heads);
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t h = 0; h < shape.heads; ++h) {
      bounds.at(r, h) = static_cast<float>(bound_of(shape, inputs, first + r, h));
    }
  }
  return bounds;
}

TEST_P(Conformance, AttentionMatchesTheReference) {
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{2, 1, 7}, Shape{9, 3, 64}, Shape{8, 8, 20},
                             Shape{16, 2, 128}, Shape{5, 1, 33, 32}}) {
    Session tested = open(), reference = reference_session();
    for (const int32_t tokens : {1, 15, 16, 17, 70}) {
      const uint64_t seed = static_cast<uint64_t>(shape.head_dim * 100 + tokens);
      const SequenceInputs inputs = random_sequence(shape, tokens, seed);
      Cache got_cache(tested, shape, 6), want_cache(reference, shape, 6);
      const Cache::Chunk all = {&inputs, scattered_blocks(1, 5), 0, tokens};

      const Matrix got = got_cache.step({all}), want = want_cache.step({all});

      const Matrix bounds = bounds_of(shape, inputs, 0, tokens);
      EXPECT_TRUE(
          near(got, want, seed, [&](int64_t r, int64_t c) { return bounds.at(r, c / shape.head_dim); }))
          << shape.heads << " heads of " << shape.head_dim << ", " << tokens << " tokens";
    }
  }
}

TEST_P(Conformance, RaggedStepsOfSeveralSequencesMatchTheReference) {
  const Shape shape = {6, 2, 24};
  Session tested = open({.num_threads = 3}), reference = reference_session();
  Cache got_cache(tested, shape, 20), want_cache(reference, shape, 20);
  const SequenceInputs a = random_sequence(shape, 40, 1), b = random_sequence(shape, 40, 10),
                       c = random_sequence(shape, 40, 20);
  const std::vector<BlockId> blocks_a = scattered_blocks(0, 3), blocks_b = scattered_blocks(3, 3),
                             blocks_c = scattered_blocks(6, 3);
  for (Cache* cache : {&got_cache, &want_cache}) {
    cache->step({{&a, blocks_a, 0, 33}, {&c, blocks_c, 0, 5}});
  }
  const std::vector<Cache::Chunk> step = {
      {&a, blocks_a, 33, 1}, {&b, blocks_b, 0, 16}, {&c, blocks_c, 5, 12}};

  const Matrix got = got_cache.step(step), want = want_cache.step(step);

  const Matrix bounds_a = bounds_of(shape, a, 33, 1), bounds_b = bounds_of(shape, b, 0, 16),
               bounds_c = bounds_of(shape, c, 5, 12);
  EXPECT_TRUE(near(got, want, 1, [&](int64_t r, int64_t column) {
    const int64_t head = column / shape.head_dim;
    if (r < 1) return bounds_a.at(r, head);
    return r < 17 ? bounds_b.at(r - 1, head) : bounds_c.at(r - 17, head);
  }));
}

TEST_P(Conformance, ChunksThreadsAndNeighboursChangeNoBitOfAttention) {
  const Shape shape = {9, 3, 40};
  constexpr int32_t kTokens = 70;
  const SequenceInputs inputs = random_sequence(shape, kTokens, 5),
                       other = random_sequence(shape, kTokens, 6);
  const std::vector<BlockId> blocks = scattered_blocks(0, 5), other_blocks = scattered_blocks(5, 5);
  Session session = open({.num_threads = 1});
  Cache whole_cache(session, shape, 5);
  const Matrix whole = whole_cache.step({{&inputs, blocks, 0, kTokens}});

  const std::vector<std::vector<int32_t>> chunkings = {
      std::vector<int32_t>(kTokens, 1), {16, 16, 16, 16, 6}, {5, 11, 17, 37}, {1, 68, 1}, {33, 2, 35}};
  for (const int threads : {1, 2, 3}) {
    Session chunked = open({.num_threads = threads});
    for (const std::vector<int32_t>& chunks : chunkings) {
      Cache cache(chunked, shape, 10);
      int32_t first = 0;
      for (const int32_t count : chunks) {
        const Matrix part =
            cache.step({{&other, other_blocks, first, count}, {&inputs, blocks, first, count}});
        Matrix own(count, part.cols());
        for (int64_t r = 0; r < count; ++r) {
          for (int64_t c = 0; c < part.cols(); ++c) own.at(r, c) = part.at(count + r, c);
        }
        ASSERT_TRUE(same_bits(own, whole, first))
            << threads << " threads, chunk of " << count << " at " << first;
        first += count;
      }
    }
  }
}

TEST_P(Conformance, ALaterRowsOverflowDoesNotReachEarlierRows) {
  const Shape shape = {2, 1, 16};
  Session session = open();
  SequenceInputs inputs = random_sequence(shape, 20, 7);
  Cache cache(session, shape, 2);
  const Matrix clean = cache.step({{&inputs, {0, 1}, 0, 20}});
  for (int64_t d = 0; d < 16; ++d)
    inputs.k.at(19, d) = inputs.v.at(19, d) = 1e30f;  // infinite as a half float

  const Matrix got = cache.step({{&inputs, {0, 1}, 0, 20}});

  Matrix before(19, got.cols());
  for (int64_t r = 0; r < 19; ++r) {
    for (int64_t c = 0; c < got.cols(); ++c) before.at(r, c) = got.at(r, c);
  }
  EXPECT_TRUE(same_bits(before, clean));
}

}  // namespace
}  // namespace llama_gpu::conformance
