// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "base/limits.gen.h"
#include "base/result.h"

namespace llama_gpu::app {

// A number that a person wrote, in its range. kInvalidValue "NAME: 'TEXT' is not valid, expected an integer
// from 1 to 5", with `name` as param.
Result<int64_t> read_integer(std::string_view name, std::string_view text, IntegerRange range);
Result<double> read_number(std::string_view name, std::string_view text, NumberRange range);

}  // namespace llama_gpu::app
