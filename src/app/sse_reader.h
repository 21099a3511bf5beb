// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llama_gpu::app {

// Cuts a stream of server-sent events into the data of each. One thread.
class SseReader {
 public:
  // Takes bytes in any portion; calls `on_data` for each finished event that has data. kDownloadFailed for an
  // event of more than 16 MiB.
  Status append(std::string_view bytes, const std::function<Status(std::string_view data)>& on_data);

 private:
  Status end_line(const std::function<Status(std::string_view data)>& on_data);

  std::string line_;
  std::string data_;
  bool has_data_ = false;
};

}  // namespace llama_gpu::app
