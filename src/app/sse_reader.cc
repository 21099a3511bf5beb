// SPDX-License-Identifier: Apache-2.0
#include "app/sse_reader.h"

namespace llama_gpu::app {
namespace {

constexpr size_t kMaxEventBytes = size_t{16} << 20;

}  // namespace

Status SseReader::end_line(const std::function<Status(std::string_view data)>& on_data) {
  if (line_.ends_with('\r')) line_.pop_back();
  if (line_.empty()) {
    const bool is_event = std::exchange(has_data_, false);
    const std::string data = std::exchange(data_, {});
    return is_event ? on_data(data) : Status();
  }
  std::string_view line = line_;
  if (line.starts_with("data:")) {
    line.remove_prefix(5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (has_data_) data_ += '\n';
    data_ += line;
    has_data_ = true;
  }
  line_.clear();
  return {};
}

Status SseReader::append(std::string_view bytes,
                         const std::function<Status(std::string_view data)>& on_data) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (line_.size() + data_.size() > kMaxEventBytes) {
      return Error{ErrorCode::kDownloadFailed, "the server sent an event of more than 16 MiB"};
    }
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    TRY_STATUS(end_line(on_data));
  }
  return {};
}

}  // namespace llama_gpu::app
