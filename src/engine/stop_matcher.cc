// SPDX-License-Identifier: Apache-2.0
#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace llama_gpu::engine {

StopMatcher::StopMatcher(std::vector<std::string> stops) {
  for (std::string& text : stops) {
    CHECK(!text.empty(), "an empty stop string matches everywhere");
    std::vector<size_t> borders(text.size() + 1, 0);
    for (size_t length = 1, border = 0; length < text.size(); ++length) {
      while (border > 0 && text[length] != text[border]) border = borders[border];
      if (text[length] == text[border]) ++border;
      borders[length + 1] = border;
    }
    stops_.push_back({std::move(text), std::move(borders)});
  }
}

// Whether the stop string is complete with this byte.
bool StopMatcher::advance(Stop& stop, char byte) {
  while (stop.matched > 0 && stop.text[stop.matched] != byte) stop.matched = stop.borders[stop.matched];
  if (stop.text[stop.matched] == byte) ++stop.matched;
  return stop.matched == stop.text.size();
}

std::string StopMatcher::append(std::string_view text) {
  CHECK(!stopped_, "text after a stop string");
  for (const char byte : text) {
    held_.push_back(byte);
    size_t found = 0;
    for (Stop& stop : stops_) {
      if (advance(stop, byte)) found = std::max(found, stop.text.size());
    }
    if (found == 0) continue;
    stopped_ = true;
    held_.resize(held_.size() - found);
    return std::exchange(held_, {});
  }
  size_t hold = 0;
  for (const Stop& stop : stops_) hold = std::max(hold, stop.matched);
  std::string shown = held_.substr(0, held_.size() - hold);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopMatcher::finish() { return std::exchange(held_, {}); }

}  // namespace llama_gpu::engine
