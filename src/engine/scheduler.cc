// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler.h"

#include <algorithm>

#include "base/check.h"
#include "base/checked_math.h"

namespace llama_gpu::engine {

Scheduler::Scheduler(const SchedulerOptions& options)
    : options_(options),
      blocks_per_sequence_(ceil_div(options.max_sequence_tokens, options.block_tokens)),
      kv_(options.kv_blocks) {
  CHECK(blocks_per_sequence_ >= 1 && blocks_per_sequence_ <= options.kv_blocks,
        "one sequence must fit the KV pool");
  CHECK(options.max_outputs > options.max_sequences, "a prompt to be scored must advance beside all decodes");
  CHECK(options.step_tokens >= 1 && options.max_sequences >= 1, "a step computes something");
  tables_.resize(static_cast<size_t>(options.max_sequences) * static_cast<size_t>(blocks_per_sequence_));
  for (int32_t i = options.max_sequences - 1; i >= 0; --i) free_tables_.push_back(i);
  plan_.sequences.reserve(static_cast<size_t>(options.max_sequences));
}

void Scheduler::add(const NewSequence& sequence) {
  CHECK(sequences_.empty() || sequence.id > sequences_.back().id,
        "sequences arrive in the order of their ids");
  CHECK(sequence.prompt_tokens >= 1 && sequence.prompt_tokens <= options_.max_sequence_tokens,
        "a prompt fits one sequence");
  sequences_.push_back({.id = sequence.id,
                        .group = sequence.group,
                        .prompt_tokens = sequence.prompt_tokens,
                        .num_tokens = sequence.prompt_tokens,
                        .next_output = sequence.first_output});
}

const StepPlan& Scheduler::next_step(int32_t max_rows) {
  plan_.sequences.clear();
  plan_.num_rows = 0;
  plan_.num_outputs = 0;
  for (Sequence& sequence : sequences_) sequence.num_planned = 0;
  plan_decodes();
  const int32_t room = std::max(options_.step_tokens - plan_.num_rows, 1);
  prompt_budget_ = std::min(room, std::max(max_rows - plan_.num_rows, options_.min_prompt_rows));
  plan_prompts();
  admit_waiting();
  return plan_;
}

void Scheduler::plan_decodes() {
  // Preemption shortens the list from behind, where nothing is planned yet.
  for (size_t i = 0; i < static_cast<size_t>(num_running_); ++i) {
    Sequence& sequence = sequences_[i];
    if (sequence.num_tokens - sequence.num_computed != 1) continue;
    if (!has_room_for_next_token(i)) return;
    plan_rows(sequence, 1);
  }
}

// Preempts newer sequences until the sequence has a block for its next token. False where it was the newest
// itself and had to give way.
bool Scheduler::has_room_for_next_token(size_t index) {
  while (!grow(sequences_[index], sequences_[index].num_tokens)) {
    preempt_newest();
    if (index >= static_cast<size_t>(num_running_)) return false;
  }
  return true;
}

void Scheduler::plan_prompts() {
  for (size_t i = 0; i < static_cast<size_t>(num_running_) && prompt_budget_ > 0; ++i) {
    Sequence& sequence = sequences_[i];
    if (sequence.num_tokens - sequence.num_computed <= 1) continue;
    if (!plan_rows(sequence, prompt_budget_)) return;
    prompt_budget_ -= sequence.num_planned;
  }
}

void Scheduler::admit_waiting() {
  while (num_waiting() > 0 && num_running_ < options_.max_sequences && prompt_budget_ > 0 &&
         plan_.num_outputs < options_.max_outputs) {
    Sequence& sequence = sequences_[static_cast<size_t>(num_running_)];
    if (!admit(sequence)) return;
    if (!plan_rows(sequence, prompt_budget_)) return;
    prompt_budget_ -= sequence.num_planned;
  }
}

// Takes the blocks of everything the sequence holds, at once, so that a prompt never waits half done.
bool Scheduler::admit(Sequence& sequence) {
  // The last row is always computed: its logits are wanted.
  const int32_t prefix_blocks = (sequence.prompt_tokens - 1) / options_.block_tokens;
  const Sequence* owner = find_prefix_owner(sequence, prefix_blocks * options_.block_tokens);
  const int32_t shared = owner == nullptr ? 0 : prefix_blocks;
  const int32_t needed = ceil_div(sequence.num_tokens, options_.block_tokens) - shared;
  // A block for the next token of each running sequence stays free, or the newcomer would be preempted at
  // once.
  const int32_t headroom = num_running_;
  if (kv_.num_free() < needed + headroom) return false;

  sequence.table = free_tables_.back();
  free_tables_.pop_back();
  ++num_running_;
  for (int32_t i = 0; i < shared; ++i) {
    const BlockId block = table(*owner)[static_cast<size_t>(i)];
    kv_.retain(block);
    table(sequence)[static_cast<size_t>(i)] = block;
  }
  sequence.num_blocks = shared;
  sequence.num_computed = shared * options_.block_tokens;
  if (grow(sequence, sequence.num_tokens)) return true;
  // The blocks were counted, so only a failpoint refuses one: it waits on.
  --num_running_;
  release_blocks(sequence);
  sequence.num_computed = 0;
  return false;
}

// A running sequence of the same prompt whose first `num_tokens` tokens are computed, or will be in this
// step: within each layer all rows are written before any row is read.
const Scheduler::Sequence* Scheduler::find_prefix_owner(const Sequence& sequence, int32_t num_tokens) const {
  // Scored prompts want the logits of every row, so each computes them.
  if (num_tokens == 0 || sequence.next_output < sequence.prompt_tokens - 1) return nullptr;
  for (int32_t i = 0; i < num_running_; ++i) {
    const Sequence& other = sequences_[static_cast<size_t>(i)];
    if (other.group == sequence.group && other.num_computed + other.num_planned >= num_tokens) return &other;
  }
  return nullptr;
}

bool Scheduler::plan_rows(Sequence& sequence, int32_t max_rows) {
  const int32_t pending = sequence.num_tokens - sequence.num_computed;
  const auto outputs_of = [&](int32_t rows) {
    return std::clamp(sequence.num_computed + rows - sequence.next_output, 0, rows);
  };
  int32_t rows = std::min(pending, max_rows);
  rows -= std::max(0, outputs_of(rows) - (options_.max_outputs - plan_.num_outputs));
  if (rows <= 0) return false;
  sequence.num_planned = rows;
  plan_.sequences.push_back({.id = sequence.id,
                             .first_position = sequence.num_computed,
                             .num_rows = rows,
                             .num_outputs = outputs_of(rows),
                             .block_table = table(sequence).first(static_cast<size_t>(sequence.num_blocks))});
  plan_.num_rows += rows;
  plan_.num_outputs += outputs_of(rows);
  return true;
}

void Scheduler::finish_step() {
  for (const PlannedRows& rows : plan_.sequences) {
    Sequence& sequence = find(rows.id);
    sequence.num_computed += rows.num_rows;
    sequence.next_output = std::max(sequence.next_output, sequence.num_computed);
    sequence.num_planned = 0;
  }
}

void Scheduler::append_token(SequenceId id) {
  Sequence& sequence = find(id);
  CHECK(sequence.num_computed == sequence.num_tokens, "a token is sampled when all before it are computed");
  CHECK(sequence.num_tokens < options_.max_sequence_tokens, "a sequence ends at the end of its context");
  ++sequence.num_tokens;
}

void Scheduler::remove(SequenceId id) {
  Sequence& sequence = find(id);
  if (sequence.table >= 0) {
    release_blocks(sequence);
    --num_running_;
  }
  sequences_.erase(sequences_.begin() + (&sequence - sequences_.data()));
}

void Scheduler::preempt_newest() {
  --num_running_;
  ++num_preemptions_;
  Sequence& newest = sequences_[static_cast<size_t>(num_running_)];
  release_blocks(newest);
  newest.num_computed = 0;
}

void Scheduler::release_blocks(Sequence& sequence) {
  for (int32_t i = 0; i < sequence.num_blocks; ++i) kv_.release(table(sequence)[static_cast<size_t>(i)]);
  free_tables_.push_back(sequence.table);
  sequence.num_blocks = 0;
  sequence.table = -1;
}

// Takes blocks until the sequence has room for `num_tokens`; false where the pool is full.
bool Scheduler::grow(Sequence& sequence, int32_t num_tokens) {
  while (sequence.num_blocks * options_.block_tokens < num_tokens) {
    const std::optional<BlockId> block = kv_.acquire();
    if (!block) return false;
    table(sequence)[static_cast<size_t>(sequence.num_blocks++)] = *block;
  }
  return true;
}

std::span<BlockId> Scheduler::table(const Sequence& sequence) {
  const auto width = static_cast<size_t>(blocks_per_sequence_);
  return std::span(tables_).subspan(static_cast<size_t>(sequence.table) * width, width);
}

Scheduler::Sequence& Scheduler::find(SequenceId id) {
  const auto found = std::ranges::lower_bound(sequences_, id, {}, &Sequence::id);
  CHECK(found != sequences_.end() && found->id == id, "no sequence of this id");
  return *found;
}

}  // namespace llama_gpu::engine
