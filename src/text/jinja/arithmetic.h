// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/result.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace llama_gpu::text::jinja {

enum class BinaryOperator : uint8_t { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };

// Python's arithmetic, also on text and lists. Integers have 64 bits: a result outside is an error, not a
// larger integer.
Result<Value> compute(Runtime& runtime, BinaryOperator op, const Value& left, const Value& right);
Result<Value> negate(Runtime& runtime, const Value& value);
// Python's unary plus.
Result<Value> affirm(Runtime& runtime, const Value& value);

}  // namespace llama_gpu::text::jinja
