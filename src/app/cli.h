// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "app/console.h"
#include "app/environment.h"
#include "app/interrupts.h"

namespace llama_gpu::app {

// What main runs with; a test gives its own.
struct Process {
  Console& console;
  const Environment& environment;
  Interrupts& interrupts;
  std::string worker_program = "/proc/self/exe";  // this program, also when its file was replaced since
};

// Runs the command line; `arguments` without the program's name. Returns the exit code: 0, 2 for usage
// errors, 128 + signal where one ended it, else that of the error's kind in api/errors.yaml.
int run_cli(std::span<const std::string> arguments, Process process);

}  // namespace llama_gpu::app
