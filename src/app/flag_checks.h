// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

#include "base/limits.gen.h"

namespace llama_gpu::app {

// Check of a flag's value for CLI11, in the words of all other settings: "--NAME: 'TEXT' is not valid,
// expected ...".
CLI::Validator integer_in(IntegerRange range);
CLI::Validator number_in(NumberRange range);

}  // namespace llama_gpu::app
