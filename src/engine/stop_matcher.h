// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llama_gpu::engine {

// Finds the first stop string in a text that arrives piece by piece, and holds back what may be the beginning
// of one, so that no part of a stop string is ever shown.
//
// The texts and the stop strings are valid UTF-8, so what is given out ends between characters. One thread.
class StopMatcher {
 public:
  // REQUIRES: no stop string is empty.
  explicit StopMatcher(std::vector<std::string> stops);

  // More text. Returns what can be shown now: everything before a stop string once one is complete.
  // REQUIRES: !stopped().
  std::string append(std::string_view text);

  // What was held back, when no more text comes. Empty after a stop.
  std::string finish();

  bool stopped() const { return stopped_; }

 private:
  // A stop string with its Knuth-Morris-Pratt table.
  struct Stop {
    std::string text;
    std::vector<size_t> borders;  // longest proper border of each prefix, by length
    size_t matched = 0;           // of `text`, at the end of the input so far
  };
  static bool advance(Stop& stop, char byte);

  std::vector<Stop> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace llama_gpu::engine
