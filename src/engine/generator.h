// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/executor.h"
#include "engine/generation.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/step_pacer.h"
#include "text/tokenizer.h"

namespace llama_gpu::engine {

// Turns accepted requests into updates, one step at a time: asks the scheduler what to compute, lets the
// executor compute it, samples, and finds where each sequence ends.
//
// What a sequence gives depends on its request only, never on what runs beside it. Engine thread only.
class Generator {
 public:
  // `tokenizer`, `executor` and `clock` outlive it; the executor was made for these scheduler options.
  Generator(const text::Tokenizer& tokenizer, Executor& executor, const SchedulerOptions& options,
            const Clock& clock);

  // Queues every choice of the request; where memory is short, a choice ends with kOutOfMemory instead.
  void add(const std::shared_ptr<const AcceptedRequest>& request);
  // Ends every choice of the request with kCancelled; unknown ids are ignored.
  void cancel(RequestId id);
  // Ends all sequences; with kError where an error is given, else with kCancelled.
  void end_all(const Error* error);
  // Computes one step. A step that fails ends its sequences with the error; where memory is short for what
  // one of them has to tell, that one ends with kOutOfMemory.
  void step();

  bool has_work() const { return !scheduler_.empty(); }
  // News since the last clear_updates(), in the order in which they came.
  std::span<const SequenceUpdate> updates() const { return updates_; }
  void clear_updates() { updates_.clear(); }

  EngineStats stats() const;

 private:
  void add_choice(const std::shared_ptr<const AcceptedRequest>& request, int32_t choice, SequenceId group);
  void note_queue_times(const StepPlan& plan);
  void fail_planned(const StepPlan& plan, const Error& error);
  void reserve_updates();
  void take_logits(Sequence& sequence, const PlannedRows& rows, MatrixView<const float> logits);
  bool score_prompt_row(Sequence& sequence, int32_t position, std::span<const float> logits);
  void sample(Sequence& sequence, std::span<const float> logits);
  void deliver(Sequence& sequence, SequenceUpdate update);
  void end(SequenceId id, FinishReason reason, const Error* error = nullptr);
  void forget(SequenceId id);

  const text::Tokenizer& tokenizer_;
  Executor& executor_;
  const Clock& clock_;
  Scheduler scheduler_;
  StepPacer pacer_;
  Sampler sampler_;
  std::map<SequenceId, Sequence> sequences_;
  SequenceId next_id_ = 1;
  std::vector<std::span<const TokenId>> step_tokens_;  // beside the plan's sequences
  std::vector<SequenceUpdate> updates_;
  uint64_t steps_ = 0;
  uint64_t prompt_rows_ = 0;  // computed again after a preemption included
  uint64_t generated_tokens_ = 0;
  const Error no_memory_;  // made beforehand
};

}  // namespace llama_gpu::engine
