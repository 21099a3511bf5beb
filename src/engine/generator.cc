// SPDX-License-Identifier: Apache-2.0
#include "engine/generator.h"

#include <chrono>
#include <new>
#include <utility>

#include "engine/logits.h"
#include "engine/logprobs.h"

namespace llama_gpu::engine {
namespace {

SequenceUpdate update_of(const AcceptedRequest& request, int32_t choice) {
  SequenceUpdate update;
  update.id = request.id;
  update.choice = choice;
  return update;
}

// News of a sequence; the first one since it was planned tells how long it waited for that.
SequenceUpdate update_of(Sequence& sequence) {
  SequenceUpdate update = update_of(*sequence.request, sequence.choice);
  update.queue_microseconds = std::exchange(sequence.queue_microseconds, std::nullopt);
  return update;
}

Error out_of_memory() {
  return {ErrorCode::kOutOfMemory, "there is no memory for another request", "try again later"};
}

// Sets the error; without its texts where there is no memory for them.
void set_error(SequenceUpdate& update, const Error& error) {
  update.finish = FinishReason::kError;
  try {
    update.error = error;
  } catch (const std::bad_alloc&) {
    update.error = Error{error.code, {}};
  }
}

Error not_finite() {
  return {ErrorCode::kNumericError, "the model produced numbers that are not finite",
          "try another prompt; if it happens again the model file is damaged"};
}

}  // namespace

Generator::Generator(const text::Tokenizer& tokenizer, Executor& executor, const SchedulerOptions& options,
                     const Clock& clock)
    : tokenizer_(tokenizer),
      executor_(executor),
      clock_(clock),
      scheduler_(options),
      pacer_(
          {.target = options.step_time, .min_rows = options.min_prompt_rows, .max_rows = options.max_rows()}),
      sampler_(tokenizer.vocab_size()),
      no_memory_(out_of_memory()) {
  step_tokens_.reserve(static_cast<size_t>(options.max_sequences));
}

void Generator::add(const std::shared_ptr<const AcceptedRequest>& request) {
  const SequenceId group = next_id_;
  for (int32_t choice = 0; choice < request->num_choices; ++choice) {
    try {
      add_choice(request, choice, group);
    } catch (const std::bad_alloc&) {
      set_error(updates_.emplace_back(update_of(*request, choice)), no_memory_);
    }
  }
}

void Generator::add_choice(const std::shared_ptr<const AcceptedRequest>& request, int32_t choice,
                           SequenceId group) {
  reserve_updates();
  if (request->max_new_tokens == 0 && !request->prompt_logprobs) {
    updates_.emplace_back(update_of(*request, choice)).finish = FinishReason::kLength;
    return;
  }
  const SequenceId id = next_id_++;
  Sequence sequence = {.id = id,
                       .request = request,
                       .choice = choice,
                       .seed = choice_seed(request->seed, choice),
                       .tokens = {},
                       .detokenizer = text::Detokenizer(tokenizer_, /*is_continuation=*/true),
                       .stops = StopMatcher(request->stop),
                       .prompt_logprobs = {}};
  sequence.tokens.reserve(request->prompt.size() + static_cast<size_t>(request->max_new_tokens));
  sequence.tokens.assign(request->prompt.begin(), request->prompt.end());
  if (request->prompt_logprobs) {
    // Nothing comes before the first token that could score it.
    const TokenId first = request->prompt[0];
    sequence.prompt_logprobs.reserve(request->prompt.size());
    sequence.prompt_logprobs.push_back({.token = first, .bytes = std::string(tokenizer_.token_bytes(first))});
  }
  const auto prompt_tokens = static_cast<int32_t>(request->prompt.size());
  scheduler_.add({.id = id,
                  .group = group,
                  .prompt_tokens = prompt_tokens,
                  .first_output = request->prompt_logprobs ? 0 : prompt_tokens - 1});
  try {
    sequences_.emplace(id, std::move(sequence));
  } catch (const std::bad_alloc&) {
    scheduler_.remove(id);
    throw;
  }
}

// So that every sequence, and one that comes, can tell its end without memory being taken for it: until they
// are given out, each has one update at most.
void Generator::reserve_updates() {
  const size_t needed = updates_.size() + sequences_.size() + 1;
  if (updates_.capacity() < needed) updates_.reserve(2 * needed);
}

void Generator::cancel(RequestId id) {
  for (auto next = sequences_.begin(); next != sequences_.end();) {
    const auto current = next++;
    if (current->second.request->id == id) end(current->first, FinishReason::kCancelled);
  }
}

void Generator::end_all(const Error* error) {
  while (!sequences_.empty()) {
    end(sequences_.begin()->first, error == nullptr ? FinishReason::kCancelled : FinishReason::kError, error);
  }
}

void Generator::step() {
  const SteadyTime begun = clock_.now();
  const StepPlan& plan = scheduler_.next_step(pacer_.max_rows());
  if (plan.sequences.empty()) return;
  note_queue_times(plan);
  step_tokens_.clear();
  for (const PlannedRows& rows : plan.sequences) step_tokens_.push_back(sequences_.at(rows.id).tokens);
  ++steps_;
  const auto logits = executor_.run(plan, step_tokens_);
  if (!logits.ok()) return fail_planned(plan, logits.error());

  scheduler_.finish_step();
  int64_t output = 0;
  for (const PlannedRows& rows : plan.sequences) {
    Sequence& sequence = sequences_.at(rows.id);
    const bool is_decode = sequence.num_answer_tokens() > 0 && rows.num_rows == 1;
    prompt_rows_ += is_decode ? 0 : static_cast<uint64_t>(rows.num_rows);
    try {
      take_logits(sequence, rows,
                  {logits->data + output * logits->stride, rows.num_outputs, logits->cols, logits->stride});
    } catch (const std::bad_alloc&) {
      end(rows.id, FinishReason::kError, &no_memory_);
    }
    output += rows.num_outputs;
  }
  pacer_.note_step(plan.num_rows, clock_.now() - begun);
}

EngineStats Generator::stats() const {
  return {.running = scheduler_.num_running(),
          .waiting = scheduler_.num_waiting(),
          .kv_blocks_total = scheduler_.kv().num_blocks(),
          .kv_blocks_used = scheduler_.kv().num_used(),
          .steps = steps_,
          .prompt_tokens = prompt_rows_,
          .generated_tokens = generated_tokens_,
          .preemptions = scheduler_.num_preemptions()};
}

// Before the step is computed: a place in it is what a sequence waits for.
void Generator::note_queue_times(const StepPlan& plan) {
  const SteadyTime now = clock_.now();
  for (const PlannedRows& rows : plan.sequences) {
    Sequence& sequence = sequences_.at(rows.id);
    if (std::exchange(sequence.was_planned, true)) continue;
    const auto waited =
        std::chrono::duration_cast<std::chrono::microseconds>(now - sequence.request->received);
    sequence.queue_microseconds = static_cast<uint64_t>(waited.count());
  }
}

void Generator::fail_planned(const StepPlan& plan, const Error& error) {
  for (const PlannedRows& rows : plan.sequences) end(rows.id, FinishReason::kError, &error);
}

// Uses the logits of a sequence's last rows: those inside of the prompt score it, the last one of all gives
// the next token.
void Generator::take_logits(Sequence& sequence, const PlannedRows& rows, MatrixView<const float> logits) {
  const int32_t first = rows.first_position + rows.num_rows - rows.num_outputs;
  const auto last_prompt_position = static_cast<int32_t>(sequence.request->prompt.size()) - 1;
  for (int32_t i = 0; i < rows.num_outputs; ++i) {
    if (first + i >= last_prompt_position) return sample(sequence, logits.row(i));
    if (!score_prompt_row(sequence, first + i, logits.row(i))) return;
  }
}

// False where the sequence ended with an error.
bool Generator::score_prompt_row(Sequence& sequence, int32_t position, std::span<const float> logits) {
  if (!all_finite(logits)) {
    const Error error = not_finite();
    end(sequence.id, FinishReason::kError, &error);
    return false;
  }
  sequence.prompt_logprobs.push_back(score_token(logits, sequence.tokens[static_cast<size_t>(position) + 1],
                                                 sequence.request->top_logprobs.value_or(0), tokenizer_));
  return true;
}

void Generator::sample(Sequence& sequence, std::span<const float> logits) {
  const AcceptedRequest& request = *sequence.request;
  SequenceUpdate update = update_of(sequence);
  update.prompt_logprobs = std::exchange(sequence.prompt_logprobs, {});
  if (request.max_new_tokens == 0) {
    update.finish = FinishReason::kLength;
    return deliver(sequence, std::move(update));
  }
  const auto chosen = sampler_.choose(logits, {.params = request.sampling,
                                               .seed = sequence.seed,
                                               .tokens = sequence.tokens,
                                               .num_prompt_tokens = request.prompt.size(),
                                               .mask = sequence.mask.get(),
                                               .hook = sequence.hook});
  if (!chosen.ok()) return end(sequence.id, FinishReason::kError, &chosen.error());
  const TokenId token = *chosen;
  sequence.tokens.push_back(token);
  ++generated_tokens_;
  update.tokens.push_back(token);
  if (request.top_logprobs)
    update.logprobs.push_back(score_token(logits, token, *request.top_logprobs, tokenizer_));

  if (tokenizer_.ends_generation(token) && !request.ignore_eos) {
    update.finish = FinishReason::kStop;
    return deliver(sequence, std::move(update));
  }
  update.text = sequence.stops.append(sequence.detokenizer.append(token));
  if (sequence.stops.stopped()) {
    update.finish = FinishReason::kStop;
  } else if (sequence.num_answer_tokens() == static_cast<size_t>(request.max_new_tokens)) {
    update.finish = FinishReason::kLength;
  }
  deliver(sequence, std::move(update));
}

// Gives an update out; the last one takes along what was held back, and the sequence's place.
void Generator::deliver(Sequence& sequence, SequenceUpdate update) {
  if (!update.finish) {
    updates_.push_back(std::move(update));
    return scheduler_.append_token(sequence.id);
  }
  if (!sequence.stops.stopped()) {
    update.text += sequence.stops.append(sequence.detokenizer.finish());
    update.text += sequence.stops.finish();
  }
  updates_.push_back(std::move(update));
  forget(sequence.id);
}

void Generator::end(SequenceId id, FinishReason reason, const Error* error) {
  SequenceUpdate& update = updates_.emplace_back(update_of(sequences_.at(id)));
  update.finish = reason;
  if (error != nullptr) set_error(update, *error);
  forget(id);
}

void Generator::forget(SequenceId id) {
  scheduler_.remove(id);
  sequences_.erase(id);
}

}  // namespace llama_gpu::engine
