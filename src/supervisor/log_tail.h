// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace llama_gpu::supervisor {

// Cuts what a worker writes on stderr into lines fit for a log, and keeps the last of them. One thread.
class LogTail {
 public:
  static constexpr size_t kMaxLines = 40;
  static constexpr size_t kMaxBytes = size_t{4} << 10;
  static constexpr size_t kMaxLineBytes = size_t{2} << 10;

  // Takes foreign bytes in any portion; returns the lines that they completed, escaped (see escape_line) and
  // cut to kMaxLineBytes.
  std::vector<std::string> append(std::string_view bytes);

  // At most the last kMaxLines lines and kMaxBytes, oldest first, each with a line end; an unfinished line
  // too.
  std::string text() const;

 private:
  void keep(std::string line);

  std::string unfinished_;
  bool is_cut_ = false;  // the unfinished line is longer than what is kept of it
  std::deque<std::string> lines_;
  size_t size_bytes_ = 0;  // of lines_, line ends included
};

}  // namespace llama_gpu::supervisor
