// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "base/result.h"

namespace llama_gpu::app {

// Where a REPL's lines come from. One thread.
class LineEditor {
 public:
  virtual ~LineEditor() = default;

  // What a person typed, or did instead.
  enum class End : uint8_t { kLine, kInterrupted, kEndOfInput };
  struct Line {
    End end = End::kEndOfInput;
    std::string text = {};  // without its line end
  };

  // Shows `prompt` and waits for a line. Ctrl-C: kInterrupted; Ctrl-D: kEndOfInput.
  virtual Line read(const std::string& prompt) = 0;
  // Lets the arrow keys bring a line back, also in the next run.
  virtual void remember(const std::string& line) = 0;
};

// Edits on a terminal, with history in `history_path` (made with its folder; readable by its owner only;
// empty: none is kept). The files outlive it.
std::unique_ptr<LineEditor> make_terminal_editor(std::FILE* in, std::FILE* out, std::FILE* err,
                                                 std::string history_path);

// Plain lines of a stream, without prompt and history.
std::unique_ptr<LineEditor> make_stream_editor(std::istream& in);

}  // namespace llama_gpu::app
