// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <istream>
#include <ostream>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llama_gpu::app {

// The terminal, or what stands for it: data goes to `out`, progress and diagnostics to `err`. The streams
// outlive it. One thread.
struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool use_colour = false;  // on err: a terminal, not "dumb", and NO_COLOR empty
  int err_columns = 80;

  // Standard input, output and error. `no_color`: the value of NO_COLOR; `term`: that of TERM.
  static Console of_process(std::string_view no_color, std::string_view term);
};

// Writes "llama-gpu: MESSAGE" and the hint, one line, to err. Returns the exit code of the error's kind.
int report(Console& console, const Error& error);

// Writes "llama-gpu: warning: MESSAGE", one line, to err: what is odd and does not stop the program.
void warn(Console& console, std::string_view message);

// A bar on a terminal, a line at every tenth elsewhere; written to err. Ends its line when destroyed.
class ProgressBar {
 public:
  // `total_bytes` 0: not known.
  ProgressBar(Console& console, std::string label, uint64_t total_bytes);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // `elapsed_seconds` since the bar began, over which `done_bytes` less the first call's came.
  void update(uint64_t done_bytes, double elapsed_seconds);

 private:
  std::string line(uint64_t done_bytes, double elapsed_seconds) const;

  Console& console_;
  std::string label_;
  uint64_t total_bytes_;
  int64_t first_bytes_ = -1;
  int64_t last_shown_ = -1;  // tenths of a second on a terminal, tenths of the whole elsewhere
  bool has_open_line_ = false;
};

}  // namespace llama_gpu::app
