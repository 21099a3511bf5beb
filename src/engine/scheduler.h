// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "engine/kv_pool.h"
#include "ops/step_layout.h"

namespace llama_gpu::engine {

// Order of arrival of a sequence: never reused, a greater number is newer.
using SequenceId = int64_t;

// Bounds on what runs at once and on what one step computes.
struct SchedulerOptions {
  int32_t kv_blocks = 0;
  int32_t block_tokens = 16;
  int32_t max_sequences = 32;              // run at once
  int32_t max_sequence_tokens = 0;         // of one sequence; its blocks fit the pool
  int32_t step_tokens = 256;               // rows of a step; also of one chunk of a prompt
  int32_t min_prompt_rows = 16;            // of a step with a prompt, where step_tokens leaves room for them
  std::chrono::milliseconds step_time{0};  // that a step should take; 0: any
  int32_t max_outputs = 64;                // rows of a step that give logits, more than max_sequences

  // Rows that a step never exceeds: each running sequence may decode, and a prompt always advances.
  int32_t max_rows() const { return step_tokens > max_sequences ? step_tokens : max_sequences + 1; }
};

// What the scheduler must know of a sequence.
struct NewSequence {
  SequenceId id = 0;          // greater than any before
  SequenceId group = 0;       // sequences of one group start with the same prompt
  int32_t prompt_tokens = 0;  // >= 1
  int32_t first_output = 0;   // first position whose logits are wanted; usually prompt_tokens - 1
};

// A sequence's part of a step: `num_rows` tokens from `first_position` on, the last `num_outputs` of which
// give logits.
struct PlannedRows {
  SequenceId id = 0;
  int32_t first_position = 0;
  int32_t num_rows = 0;
  int32_t num_outputs = 0;
  std::span<const BlockId> block_table = {};
};

// What one step computes. Valid until the next is planned; block tables until a sequence changes.
struct StepPlan {
  std::vector<PlannedRows> sequences;  // oldest first among decodes, then among prompts
  int32_t num_rows = 0;
  int32_t num_outputs = 0;
};

// Decides what each step computes: a pure function of the sequences it was told of.
//
// Sequences are served in order of arrival. A step holds one row of each running sequence that decodes, then
// chunks of prompts up to the budget, then new sequences whose whole prompt fits the KV pool. Where the pool
// is full, the newest running sequence gives its blocks back and is computed again later, in its old place in
// the queue. So running sequences are always older than waiting ones, the oldest always advances, and all
// finish.
//
// Nothing is allocated but in the constructor and in add(). Engine thread only.
class Scheduler {
 public:
  explicit Scheduler(const SchedulerOptions& options);

  // Queues a sequence.
  void add(const NewSequence& sequence);

  // Plans the next step and takes the blocks that it needs. Prompts are cut so that it has `max_rows` where
  // that is less than step_tokens. Empty only when there is no sequence.
  const StepPlan& next_step(int32_t max_rows = std::numeric_limits<int32_t>::max());

  // The last plan was computed: its rows' keys and values are in the cache.
  void finish_step();

  // A token was sampled for a running sequence, whose rows so far are all computed.
  void append_token(SequenceId id);

  // Forgets a sequence, wherever it stands, and frees its blocks.
  void remove(SequenceId id);

  int32_t num_running() const { return num_running_; }
  int32_t num_waiting() const { return static_cast<int32_t>(sequences_.size()) - num_running_; }
  bool empty() const { return sequences_.empty(); }
  const KvPool& kv() const { return kv_; }
  uint64_t num_preemptions() const { return num_preemptions_; }

 private:
  struct Sequence {
    SequenceId id = 0;
    SequenceId group = 0;
    int32_t prompt_tokens = 0;
    int32_t num_tokens = 0;    // prompt and sampled
    int32_t num_computed = 0;  // whose keys and values are in the cache
    int32_t next_output = 0;   // first position whose logits are still wanted
    int32_t num_planned = 0;   // rows in the current plan
    int32_t num_blocks = 0;
    int32_t table = -1;  // row of tables_ while it runs
  };

  Sequence& find(SequenceId id);
  std::span<BlockId> table(const Sequence& sequence);
  bool grow(Sequence& sequence, int32_t num_tokens);
  bool has_room_for_next_token(size_t index);
  void plan_decodes();
  void plan_prompts();
  void admit_waiting();
  bool admit(Sequence& sequence);
  const Sequence* find_prefix_owner(const Sequence& sequence, int32_t num_tokens) const;
  bool plan_rows(Sequence& sequence, int32_t max_rows);
  void preempt_newest();
  void release_blocks(Sequence& sequence);

  SchedulerOptions options_;
  int32_t blocks_per_sequence_;
  KvPool kv_;
  std::vector<Sequence> sequences_;  // by id; the first num_running_ run, the others wait
  int32_t num_running_ = 0;
  std::vector<BlockId> tables_;  // [max_sequences, blocks_per_sequence_]
  std::vector<int32_t> free_tables_;
  StepPlan plan_;
  int32_t prompt_budget_ = 0;  // rows left for prompts in the current plan
  uint64_t num_preemptions_ = 0;
};

}  // namespace llama_gpu::engine
