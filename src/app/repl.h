// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/answer_source.h"
#include "app/console.h"
#include "app/interrupts.h"
#include "app/line_editor.h"

namespace llama_gpu::app {

// A conversation in the terminal. Lines are prompts, but for /commands; """ begins and ends one of several
// lines. Ctrl-C stops an answer, Ctrl-D or /bye ends the conversation. A model without a chat template
// continues each prompt by itself. One thread.
class Repl {
 public:
  // What it talks with, and how. Everything outlives it.
  struct Parts {
    AnswerSource& source;
    LineEditor& editor;
    Console& console;
    Interrupts& interrupts;
  };

  // `system`: empty for none.
  Repl(Parts parts, AnswerOptions options, std::string system);

  // Until the user ends it. Returns the exit code.
  int run();

 private:
  // A whole prompt; nullopt at the end of input.
  std::optional<std::string> read_prompt();
  // The rest of a prompt between """; nullopt where Ctrl-C came.
  std::optional<std::string> read_quoted(std::string_view first_line);
  // Whether to go on.
  bool run_command(const std::string& line);
  void answer(std::string prompt);
  Result<AnswerEnd> ask(std::string prompt);
  void say_how_it_ended(engine::FinishReason reason);
  void report_failure(Error error);
  void clear();
  // "temperature 0.7", or "system TEXT".
  void set(std::string_view argument);
  void set_system(std::string_view text);
  void show();

  Parts parts_;
  AnswerOptions options_;
  std::string system_;
  std::vector<text::ChatMessage> conversation_;
};

}  // namespace llama_gpu::app
