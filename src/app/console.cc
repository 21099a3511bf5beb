// SPDX-License-Identifier: Apache-2.0
#include "app/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "base/strings.h"

namespace llama_gpu::app {

Console Console::of_process(std::string_view no_color, std::string_view term) {
  Console console{std::cin, std::cout, std::cerr};
  console.in_is_terminal = ::isatty(STDIN_FILENO) == 1;
  console.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  console.err_is_terminal = ::isatty(STDERR_FILENO) == 1;
  console.use_colour = console.err_is_terminal && no_color.empty() && term != "dumb";
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) console.err_columns = size.ws_col;
  return console;
}

int report(Console& console, const Error& error) {
  console.out.flush();
  const std::string_view red = console.use_colour ? "\x1b[31m" : "",
                         reset = console.use_colour ? "\x1b[0m" : "";
  // Messages quote names that came from outside; line ends and colours of theirs must not reach the terminal.
  console.err << red << "llama-gpu: " << reset << escape_line(error.message);
  if (!error.hint.empty()) console.err << " (" << escape_line(error.hint) << ")";
  console.err << std::endl;
  return error_code_info(error.code).exit_code;
}

void warn(Console& console, std::string_view message) {
  console.out.flush();
  console.err << "llama-gpu: warning: " << escape_line(message) << std::endl;
}

ProgressBar::ProgressBar(Console& console, std::string label, uint64_t total_bytes)
    : console_(console), label_(std::move(label)), total_bytes_(total_bytes) {}

ProgressBar::~ProgressBar() {
  if (has_open_line_) console_.err << std::endl;
}

std::string ProgressBar::line(uint64_t done_bytes, double elapsed_seconds) const {
  const double speed = double(int64_t(done_bytes) - first_bytes_) / std::max(elapsed_seconds, 1e-3);
  std::string figures = format_size(done_bytes);
  if (total_bytes_ > 0) {
    const double share = std::min(1.0, double(done_bytes) / double(total_bytes_));
    figures = fmt::format("{:3.0f} %  {} of {}", std::floor(share * 100), figures, format_size(total_bytes_));
  }
  if (speed >= 1) figures += fmt::format("  {}/s", format_size(uint64_t(speed)));
  if (speed >= 1 && total_bytes_ > done_bytes) {
    figures += "  " + format_seconds(double(total_bytes_ - done_bytes) / speed) + " left";
  }
  return figures;
}

void ProgressBar::update(uint64_t done_bytes, double elapsed_seconds) {
  if (first_bytes_ < 0) first_bytes_ = int64_t(done_bytes);
  const bool is_done = total_bytes_ > 0 && done_bytes >= total_bytes_;
  if (!console_.err_is_terminal) {
    const int64_t tenth =
        total_bytes_ > 0 ? int64_t(done_bytes * 10 / total_bytes_) : int64_t(done_bytes >> 26);
    if (tenth == last_shown_) return;
    last_shown_ = tenth;
    console_.err << label_ << ": " << line(done_bytes, elapsed_seconds) << std::endl;
    return;
  }
  const auto moment = int64_t(elapsed_seconds * 10);
  if (moment == last_shown_ && !is_done) return;
  last_shown_ = moment;

  const std::string figures = line(done_bytes, elapsed_seconds);
  const int room = console_.err_columns - int(label_.size() + figures.size()) - 6;
  std::string bar;
  if (total_bytes_ > 0 && room >= 10) {
    const auto width = size_t(std::min(room, 40));
    const size_t filled = std::min(width, size_t(double(done_bytes) / double(total_bytes_) * double(width)));
    bar = " [" + std::string(filled, '#') + std::string(width - filled, ' ') + "]";
  }
  console_.err << "\r\x1b[K" << label_ << bar << " " << figures << std::flush;
  has_open_line_ = true;
}

}  // namespace llama_gpu::app
