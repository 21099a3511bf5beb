// SPDX-License-Identifier: Apache-2.0
#include "supervisor/log_tail.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace llama_gpu::supervisor {

std::vector<std::string> LogTail::append(std::string_view bytes) {
  std::vector<std::string> completed;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    const size_t room = kMaxLineBytes - unfinished_.size();
    unfinished_.append(part.substr(0, room));
    is_cut_ = is_cut_ || part.size() > room;
    if (end == std::string_view::npos) break;

    std::string line = escape_line(std::exchange(unfinished_, {}), kMaxLineBytes);
    if (std::exchange(is_cut_, false)) line += " ...";
    completed.push_back(line);
    keep(std::move(line));
    bytes.remove_prefix(end + 1);
  }
  return completed;
}

void LogTail::keep(std::string line) {
  size_bytes_ += line.size() + 1;
  lines_.push_back(std::move(line));
  while (lines_.size() > 1 && (lines_.size() > kMaxLines || size_bytes_ > kMaxBytes)) {
    size_bytes_ -= lines_.front().size() + 1;
    lines_.pop_front();
  }
}

std::string LogTail::text() const {
  std::string text;
  for (const std::string& line : lines_) text += line + '\n';
  if (!unfinished_.empty()) text += escape_line(unfinished_, kMaxLineBytes) + '\n';
  if (text.size() <= kMaxBytes) return text;
  const size_t first_whole = text.find('\n', text.size() - kMaxBytes - 1);
  return text.substr(first_whole + 1);
}

}  // namespace llama_gpu::supervisor
