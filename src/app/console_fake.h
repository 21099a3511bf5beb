// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sstream>
#include <string>

#include "app/console.h"

namespace llama_gpu::app {

// A console that keeps what is written, for tests.
struct ConsoleFake {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Console console{in, out, err};

  explicit ConsoleFake(const std::string& input = "") : in(input) {}
};

}  // namespace llama_gpu::app
