// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/generation.h"

namespace llama_gpu::server {

// Tokens as a client is told of them.
struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;
};

// What every chunk of an answer repeats.
struct AnswerHead {
  std::string id;
  int64_t created_unix_seconds = 0;
  std::string model;  // as the request named it
};

// What decides an answer's form.
struct AnswerForm {
  bool is_stream = false;
  bool include_usage = false;
  int32_t num_choices = 1;  // over all prompts
  bool has_logprobs = false;
};

// Makes an answer's bytes of what the engine says. Pure; one thread. A stream's bytes are whole server-sent
// events.
class AnswerRenderer {
 public:
  virtual ~AnswerRenderer() = default;

  // The text of a choice begins with that of its prompt. Before the choice's first add(); a chat has no echo.
  virtual void echo(int32_t /*choice*/, std::string_view /*prompt*/) {}
  // News of a choice, numbered over all prompts: a stream appends events to `out`, a document waits for
  // finish().
  virtual void add(int32_t choice, const engine::SequenceUpdate& update, std::string& out) = 0;
  // The rest: usage and [DONE], or the document.
  virtual void finish(const Usage& usage, std::string& out) = 0;
};

// The two forms of OpenAI's API.
std::unique_ptr<AnswerRenderer> make_chat_renderer(const AnswerHead& head, AnswerForm form);
std::unique_ptr<AnswerRenderer> make_completion_renderer(const AnswerHead& head, AnswerForm form);

// What both share: {"id":...,"object":...,"created":...,"model":... without the closing brace.
std::string render_head(const AnswerHead& head, std::string_view object);
// {"prompt_tokens":...}
std::string render_usage(const Usage& usage);
// "stop" or "length", quoted, or null.
std::string_view render_finish_reason(const std::optional<engine::FinishReason>& finish);

}  // namespace llama_gpu::server
